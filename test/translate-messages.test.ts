/** What a Messages client gets from a Chat Completions upstream: valid for its SDK, whatever the upstream sends. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { messagesOnChat } from '../proxy/translate/messages-on-chat/messages-on-chat.ts';
import type { JsonObject } from '../proxy/translate/translator.ts';
import { providerRecordings } from './support/clients/recordings.ts';
import { accumulate } from './support/translate/anthropic-sdk.ts';
import { chunkings } from './support/translate/chunkings.ts';
import { caseContext, caseStream, translated, translationContext } from './support/translate/golden-case.ts';
import { sequenceProblems, wireEvents } from './support/translate/messages-sequence.ts';

const CASES = join(import.meta.dirname, 'golden/translate/messages-on-chat');
const recordings = (providerRecordings() ?? []).filter(({ name }) => name.startsWith('openai-chat/'));
const ABSENT = 'No recordings of providers are here: set SLUICE_RECORDINGS to their folder to have them tested';

for (const name of readdirSync(CASES)) {
  const stream = caseStream(join(CASES, name));
  if (stream === undefined) continue;
  const text = () => translated(messagesOnChat.stream(translationContext(caseContext(join(CASES, name)))), [stream]);

  test(`messages on chat, ${name}: the sequence of events is valid`, () => {
    assert.deepEqual(sequenceProblems(wireEvents(text())), []);
  });

  test(`messages on chat, ${name}: Anthropic's SDK takes the stream`, async () => {
    const events = wireEvents(text());
    const failure = events.find((event) => event.name === 'error');
    const message = accumulate(Buffer.from(text()), 7);
    if (failure) await assert.rejects(message, { name: 'APIError', type: errorOf(failure.data).type });
    else assert.equal(contentOf((await message).content), deltasOf(events));
  });
}

test('messages on chat: recorded streams become valid sequences with all their content', async (t) => {
  if (recordings.length === 0) t.diagnostic(ABSENT);
  for (const { name, bytes } of recordings.filter(({ isStream }) => isStream)) {
    const text = translated(messagesOnChat.stream(contextFor(name)), [bytes]);
    assert.deepEqual(sequenceProblems(wireEvents(text)), [], name);
    const message = await accumulate(Buffer.from(text), 1000);
    assert.equal(contentOf(message.content), chatContent(bytes), name);
    assert.equal(total(message.usage), chatTotal(bytes), name);
  }
});

test('messages on chat: recorded streams give the same bytes in any chunks', (t) => {
  if (recordings.length === 0) t.diagnostic(ABSENT);
  for (const { name, bytes } of recordings.filter(({ isStream }) => isStream)) {
    const whole = translated(messagesOnChat.stream(contextFor(name)), [bytes]);
    for (const chunks of chunkings(bytes))
      assert.equal(translated(messagesOnChat.stream(contextFor(name)), chunks), whole, `${name} in ${chunks.length}`);
  }
});

test('messages on chat: recorded whole answers become messages with all their content', (t) => {
  if (recordings.length === 0) t.diagnostic(ABSENT);
  for (const { name, bytes } of recordings.filter(({ isStream }) => !isStream)) {
    const body = JSON.parse(bytes.toString()) as ChatAnswer;
    const message = messagesOnChat.answer(body as never, contextFor(name)) as unknown as MessageLike;
    const said = body.choices[0]?.message;
    const calls = (said?.tool_calls ?? []).map((call) => JSON.stringify(JSON.parse(call.function?.arguments ?? '')));
    const thinking = said?.reasoning_content ?? '';
    assert.equal(contentOf(message.content), `${thinking}${said?.content ?? ''}${calls.join('')}`, name);
    assert.ok(['end_turn', 'tool_use'].includes(message.stop_reason), name);
  }
});

test('messages on chat: the fixtures of broken streams end in an error, the whole ones in message_stop', () => {
  const folder = join(import.meta.dirname, 'fixtures/streams/openai');
  const broken = ['chat-cut.sse', 'chat-error.sse', 'chat-named-error.sse'];
  for (const file of readdirSync(folder).filter((name) => name.startsWith('chat') && name !== 'chat-two-choices.sse')) {
    const bytes = readFileSync(join(folder, file));
    const events = wireEvents(translated(messagesOnChat.stream(translationContext()), [bytes]));
    assert.deepEqual(sequenceProblems(events), [], file);
    assert.equal(events.at(-1)?.name, broken.includes(file) ? 'error' : 'message_stop', file);
  }
});

test('messages on chat: a second turn gives the upstream its own reasoning and calls back', async () => {
  const context = translationContext({ flavor: 'deepseek' });
  const name = 'deepseek-tool-call.chunks.txt';
  const recorded = recordings.find((recording) => recording.name.endsWith(name))?.bytes;
  const upstream = recorded ?? caseStream(join(CASES, 'thinking-deepseek')) ?? Buffer.alloc(0);
  const first = await accumulate(Buffer.from(translated(messagesOnChat.stream(context), [upstream])));
  const calls = first.content.filter((block) => block.type === 'tool_use');
  const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'sunny' }));
  const messages = [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: first.content },
    { role: 'user', content: [...results, { type: 'text', text: 'Well?' }] },
  ];
  const body = JSON.parse(JSON.stringify({ messages })) as JsonObject;
  const [, said, ...rest] = messagesOnChat.request(body, context).body['messages'] as unknown as ChatMessage[];
  const thought = first.content.find((block) => block.type === 'thinking');
  assert.ok(thought && thought.thinking.length > 0);
  assert.equal(said?.reasoning_content, thought.thinking);
  assert.ok(!JSON.stringify(messagesOnChat.request(body, context).body).includes(thought.signature));
  assert.deepEqual(
    (said?.tool_calls ?? []).map(({ id }) => id),
    rest.slice(0, -1).map((message) => message.tool_call_id),
  );
});

interface ChatMessage extends ChatSaid {
  readonly tool_call_id?: string;
}

interface ChatAnswer {
  readonly choices: readonly { readonly message?: ChatSaid; readonly delta?: ChatSaid }[];
  readonly usage?: { readonly total_tokens: number } | null;
}

interface ChatSaid {
  readonly content?: string | null;
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly { readonly id?: string; readonly function?: { readonly arguments?: string } }[];
}

interface MessageLike {
  readonly content: readonly object[];
  readonly stop_reason: string;
}

function contextFor(name: string) {
  const flavor = (['deepseek', 'groq', 'xai', 'openai'] as const).find((kind) => name.includes(`/${kind}-`));
  return translationContext({ flavor: flavor ?? 'openai' });
}

/** All that a message says, in order: thinking, text, and the input of tools as JSON. */
function contentOf(content: readonly object[]): string {
  return content.map((block) => sayingOf(block as Record<string, unknown>)).join('');
}

function sayingOf(block: Record<string, unknown>): string {
  if (block['type'] === 'tool_use') return JSON.stringify(block['input']);
  return String(block['type'] === 'text' ? block['text'] : block['thinking']);
}

/** The same, read from the events of a stream. */
function deltasOf(events: ReturnType<typeof wireEvents>): string {
  let text = '';
  let json = '';
  for (const { name, data } of events) {
    const delta = (data['delta'] ?? {}) as Record<string, string | undefined>;
    text += delta['text'] ?? delta['thinking'] ?? '';
    json += delta['partial_json'] ?? '';
    const isTool = (data['content_block'] as { type?: string } | undefined)?.type === 'tool_use';
    if (name === 'content_block_start' && isTool) json = ' ';
    if (name !== 'content_block_stop' || json === '') continue;
    text += json.trim() === '' ? '{}' : JSON.stringify(completed(json));
    json = '';
  }
  return text;
}

/** A limit may have cut the arguments: the SDK leaves out the member that is half, here the only one. */
function completed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

function chatContent(bytes: Buffer): string {
  const says = chunksOf(bytes).map(({ choices }) => choices[0]?.delta);
  const calls = says.map((said) => said?.tool_calls?.[0]?.function?.arguments ?? '').join('');
  const prose = says.map((said) => `${said?.reasoning_content ?? ''}${said?.content ?? ''}`).join('');
  return prose + (calls === '' ? '' : JSON.stringify(JSON.parse(calls)));
}

function chatTotal(bytes: Buffer): number {
  return chunksOf(bytes).findLast(({ usage }) => usage)?.usage?.total_tokens ?? 0;
}

function chunksOf(bytes: Buffer): ChatAnswer[] {
  const lines = bytes.toString().split('\n\n');
  return lines.filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)) as ChatAnswer);
}

function total(usage: {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_input_tokens: number | null;
  readonly cache_creation_input_tokens: number | null;
}): number {
  const cached = (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return usage.input_tokens + cached + usage.output_tokens;
}

function errorOf(data: Readonly<Record<string, unknown>>): { readonly type: string } {
  return data['error'] as { readonly type: string };
}
