/** Progress reaches the client before a tool ends, is taken by the SDKs as content, and never reaches the model again. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { hasProgress, PROGRESS_SENTINEL, stripProgress } from '../../contract/progress.ts';
import { LoopServer, type ToolLoopSpec } from '../support/tool-loop/loop-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

let model: ScriptedModel;
let tools: ToolServer;
let loop: LoopServer;
let anthropic: Anthropic;
let openai: OpenAI;

before(async () => {
  model = await ScriptedModel.start();
  tools = await ToolServer.start();
  loop = await LoopServer.start(model.url);
  anthropic = new Anthropic({ baseURL: loop.url, apiKey: 'k', maxRetries: 0 });
  openai = new OpenAI({ baseURL: `${loop.url}/v1`, apiKey: 'k', maxRetries: 0 });
});
after(async () => {
  await loop.close();
  await tools.close();
  await model.close();
});
beforeEach(() => tools.reset());

function use(progress: NonNullable<ToolLoopSpec['progress']>): void {
  loop.use({
    http: ['search', 'read'].map((name) => ({ name, description: name, url: tools.url })),
    progress,
    maxParallel: 1,
  });
}

const QUESTION = { role: 'user' as const, content: 'What?' };
const ASK = { model: 'scripted', max_tokens: 99, messages: [QUESTION] };
const TURNS = [{ text: 'Looking', calls: [{ name: 'search' }, { name: 'read' }] }, { text: 'Found' }];
const SEEN = [
  '🔄 Starting…',
  'Looking',
  '🔧 Executing search, read…',
  '⚙️ search (1/2)',
  '⚙️ read (2/2)',
  '🤔 Thinking (step 2)…',
  'Found',
];

/** Text as people see it. */
function visible(text: string): string {
  return text.replaceAll(/[\u2060-\u2064]/g, '').trim();
}

test('as text: each line a block that ends in the sentinel, in the order of what happens', async () => {
  use('text');
  model.play(...TURNS);
  const { content } = await anthropic.messages.stream(ASK).finalMessage();
  const texts = content.map((block) => (block.type === 'text' ? block.text : block.type));
  assert.deepEqual(texts.map(visible), SEEN);
  assert.equal(texts.filter((text) => text.endsWith(PROGRESS_SENTINEL)).length, 5);
  assert.equal(stripProgress(texts.join('')), 'LookingFound');
});

test('it is sent before the tool ends', async () => {
  use('text');
  model.play(...TURNS);
  const release = Promise.withResolvers<void>();
  tools.handlers.set('search', async (_args, response) => {
    await release.promise;
    response.end('x');
  });
  const stream = anthropic.messages.stream(ASK);
  await new Promise<void>((resolve) => {
    stream.on('text', (text) => {
      if (text.includes('⚙️ search (1/2)')) resolve();
    });
  });
  release.resolve();
  assert.equal((await stream.finalMessage()).stop_reason, 'end_turn');
});

test('as thinking: unsigned, and gone from later requests with its block', async () => {
  use('thinking');
  model.play(...TURNS);
  const { content } = await anthropic.messages.stream(ASK).finalMessage();
  const kinds = content.map(({ type }) => type);
  assert.deepEqual(kinds, ['thinking', 'text', 'thinking', 'thinking', 'thinking', 'thinking', 'text']);
  model.play({ text: 'ok' });
  const messages = [QUESTION, { role: 'assistant' as const, content }, QUESTION];
  await anthropic.messages.create({ ...ASK, messages });
  assert.deepEqual(model.asked[0]?.body.messages[1]?.content, [
    { type: 'text', text: 'Looking' },
    { type: 'text', text: 'Found' },
  ]);
});

test('a later request holds none of it: blocks, blocks joined to strings, messages of nothing else', async () => {
  use('text');
  model.play(...TURNS);
  const { content } = await anthropic.messages.stream(ASK).finalMessage();
  const joined = content.map((block) => (block.type === 'text' ? block.text : '')).join('\n\n');
  const assistant = (said: Anthropic.MessageParam['content']) => ({ role: 'assistant' as const, content: said });
  model.play({ text: 'ok' });
  const messages = [
    QUESTION,
    assistant(content),
    QUESTION,
    assistant(joined),
    QUESTION,
    assistant(content.slice(0, 1)),
    QUESTION,
  ];
  await anthropic.messages.create({ ...ASK, messages, system: `Earlier: ${joined}` });
  const { body } = model.asked[0] ?? assert.fail();
  assert.ok(!hasProgress(JSON.stringify(body)));
  assert.ok(!/Starting|Executing|Thinking|search \(/.test(JSON.stringify(body.messages)));
  assert.deepEqual(
    body.messages.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant', 'user', 'user'],
  );
  assert.match(String(body.messages[3]?.content), /^\s*Looking\s+Found\s*$/);
});

test('in Chat Completions it is content, or reasoning, of the one choice', async () => {
  use('text');
  model.play(...TURNS);
  const chat = { model: 'scripted', messages: [QUESTION] };
  const told = await openai.chat.completions.stream(chat).finalChatCompletion();
  const text = told.choices[0]?.message.content ?? '';
  const lines = text
    .split('\n')
    .map(visible)
    .filter((line) => line !== '');
  assert.deepEqual(lines, ['🔄 Starting…', 'Looking🔧 Executing search, read…', ...SEEN.slice(3)]);
  assert.equal(stripProgress(text), 'Looking\n\nFound');
  model.play({ text: 'ok' });
  await openai.chat.completions.create({
    ...chat,
    messages: [QUESTION, { role: 'assistant', content: text }, QUESTION],
  });
  assert.equal(model.asked[0]?.body.messages[1]?.content, 'Looking\n\nFound');
  use('thinking');
  model.play(...TURNS);
  const chunks = await Array.fromAsync(await openai.chat.completions.create({ ...chat, stream: true }));
  const deltas = chunks.map(({ choices }) => choices[0]?.delta as { content?: string; reasoning_content?: string });
  assert.equal(deltas.map(({ content = '' }) => content).join(''), 'Looking\n\nFound');
  const reasoning = deltas.map(({ reasoning_content: thought = '' }) => thought).join('');
  assert.match(visible(reasoning), /^🔄 Starting….*step 2/s);
});

test('a client that waits sees none', async () => {
  use('text');
  model.play(...TURNS);
  const { content } = await anthropic.messages.create(ASK);
  assert.deepEqual(
    content.map((block) => block.type === 'text' && block.text),
    ['Looking', 'Found'],
  );
});
