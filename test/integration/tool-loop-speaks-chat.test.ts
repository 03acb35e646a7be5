/** The same loop in Chat Completions: the OpenAI SDK's accumulator takes every stream, the client's own calls stay whole. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { LoopServer, type ToolLoopSpec } from '../support/tool-loop/loop-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

let model: ScriptedModel;
let tools: ToolServer;
let loop: LoopServer;
let client: OpenAI;

before(async () => {
  model = await ScriptedModel.start();
  tools = await ToolServer.start();
  loop = await LoopServer.start(model.url);
  client = new OpenAI({ baseURL: `${loop.url}/v1`, apiKey: 'k', maxRetries: 0 });
});
after(async () => {
  await loop.close();
  await tools.close();
  await model.close();
});
beforeEach(() => {
  tools.reset();
  loop.use(spec());
});

function spec(more: Partial<ToolLoopSpec> = {}): ToolLoopSpec {
  return { http: ['search', 'read'].map((name) => ({ name, description: name, url: tools.url })), ...more };
}

const QUESTION = { role: 'user' as const, content: 'What?' };
const ASK = { model: 'scripted', messages: [QUESTION] };
const WEATHER = { type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } };
const SEARCH = { name: 'search', args: { q: 'a' } };

function stream(more: Partial<OpenAI.ChatCompletionCreateParamsStreaming> = {}): Promise<OpenAI.ChatCompletion> {
  return client.chat.completions.stream({ ...ASK, ...more, stream: true }).finalChatCompletion();
}

test('three turns with parallel calls: one completion, usage of all, results as tool messages', async () => {
  model.play(
    { thinking: 'Hm.', text: 'Searching', calls: [SEARCH, { name: 'read', args: { q: 'b' } }] },
    { calls: [SEARCH] },
    { text: 'Found it' },
  );
  const completion = await stream({ stream_options: { include_usage: true } });
  const [choice] = completion.choices;
  assert.deepEqual([choice?.message.content, choice?.finish_reason], ['Searching\n\nFound it', 'stop']);
  assert.equal(choice?.message.tool_calls, undefined);
  const { usage } = completion;
  assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens, usage?.total_tokens], [39, 15, 54]);
  assert.equal(usage?.prompt_tokens_details?.cached_tokens, 6);
  assert.deepEqual(model.asked[2]?.body.messages.slice(1), [
    {
      role: 'assistant',
      content: 'Searching',
      reasoning_content: 'Hm.',
      tool_calls: [
        { id: 'call_0_0', type: 'function', function: { name: 'search', arguments: '{"q":"a"}' } },
        { id: 'call_0_1', type: 'function', function: { name: 'read', arguments: '{"q":"b"}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_0_0', content: 'search got {"q":"a"}' },
    { role: 'tool', tool_call_id: 'call_0_1', content: 'read got {"q":"b"}' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1_0', type: 'function', function: { name: 'search', arguments: '{"q":"a"}' } }],
    },
    { role: 'tool', tool_call_id: 'call_1_0', content: 'search got {"q":"a"}' },
  ]);
  assert.deepEqual(loop.ends, ['complete']);
});

test('without include_usage no chunk speaks of usage, and the same text comes whole', async () => {
  const turns = [{ text: 'One', calls: [SEARCH] }, { text: 'Two' }];
  model.play(...turns);
  const chunks = await Array.fromAsync(await client.chat.completions.create({ ...ASK, stream: true }));
  assert.ok(chunks.every((chunk) => chunk.usage === undefined && chunk.choices.length === 1));
  assert.deepEqual(new Set(chunks.map(({ id }) => id)), new Set(['chatcmpl-0']));
  assert.equal(chunks.filter(({ choices }) => choices[0]?.delta.role !== undefined).length, 1);
  assert.equal(chunks.filter(({ choices }) => choices[0]?.finish_reason !== null).length, 1);
  model.play(...turns);
  const whole = await client.chat.completions.create(ASK);
  assert.deepEqual([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason], ['One\n\nTwo', 'stop']);
  assert.equal(whole.usage?.total_tokens, 36);
});

test('a mixed turn goes back to the client with its own calls alone, numbered from 0', async () => {
  for (const streamed of [true, false]) {
    model.play({ text: 'Both', calls: [SEARCH, { name: 'weather', args: { city: 'B' } }] });
    const more = { tools: [WEATHER] };
    const { choices } = streamed ? await stream(more) : await client.chat.completions.create({ ...ASK, ...more });
    const calls = choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      calls.map((call) => call.type === 'function' && [call.id, call.function.name, call.function.arguments]),
      [['call_0_1', 'weather', '{"city":"B"}']],
    );
    assert.equal(choices[0]?.finish_reason, 'tool_calls');
  }
  assert.equal(tools.calls.length, 0);
});

test('failures: an error for the model, an error for the client', async () => {
  tools.handlers.set('search', (_args, response) => void response.writeHead(404).end('nothing'));
  model.play({ calls: [SEARCH, { name: 'invented' }] }, { text: 'ok' });
  await stream();
  const said = model.asked[1]?.body.messages.slice(2).map(({ content }) => content);
  assert.deepEqual(said, [
    'Error: Status 404: nothing',
    'Error: There is no tool "invented"; use one of: search, read',
  ]);
  model.play({ calls: [SEARCH] }, { status: 500 });
  await assert.rejects(stream(), /Scripted refusal/);
  model.play({ calls: [SEARCH] }, { text: 'Half', cutAt: 2 });
  await assert.rejects(stream(), /broke off/);
  loop.use(spec({ maxRounds: 3 }));
  model.play({ calls: [SEARCH] });
  await assert.rejects(stream(), /toolLoop.maxRounds of 3/);
});

test('a forced choice is relaxed after its call, several choices are refused', async () => {
  model.play({ calls: [SEARCH] }, { text: 'ok' });
  await stream({ tool_choice: 'required' });
  assert.deepEqual(
    model.asked.map(({ body }) => body.tool_choice),
    ['required', 'auto'],
  );
  await assert.rejects(stream({ n: 2 }), /Ask for one choice/);
});
