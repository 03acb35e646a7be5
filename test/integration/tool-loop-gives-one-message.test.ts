/** A tool loop of several turns is one message for the Anthropic SDK: its accumulator takes it, and the model saw every result. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { LoopServer, type ToolLoopSpec } from '../support/tool-loop/loop-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

let model: ScriptedModel;
let tools: ToolServer;
let loop: LoopServer;
let client: Anthropic;

before(async () => {
  model = await ScriptedModel.start();
  tools = await ToolServer.start();
  loop = await LoopServer.start(model.url);
  client = new Anthropic({ baseURL: loop.url, apiKey: 'k', maxRetries: 0 });
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
  const schema = { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] };
  return {
    http: ['search', 'read'].map((name) => ({ name, description: name, url: tools.url, inputSchema: schema })),
    callTimeout: '300ms',
    ...more,
  };
}

const QUESTION = { role: 'user' as const, content: 'What?' };
const ASK = { model: 'scripted', max_tokens: 99, messages: [QUESTION] };

function stream(more: Partial<Anthropic.MessageStreamParams> = {}): Promise<Anthropic.Message> {
  return client.messages.stream({ ...ASK, ...more }).finalMessage();
}

function textsOf({ content }: Anthropic.Message): string[] {
  return content.map((block) => (block.type === 'text' ? block.text : block.type));
}

/** Content of the tool results in the last message that the model got. */
function results(index: number): Record<string, unknown>[] {
  return model.asked[index]?.body.messages.at(-1)?.content as Record<string, unknown>[];
}

/** Names of the tools that the model was offered first. */
function offered(): string[] {
  const { tools: given = [] } = model.asked[0]?.body ?? {};
  return (given as { name: string }[]).map(({ name }) => name);
}

test('three turns with parallel calls: one lifecycle, usage of all, each turn before the next in the request', async () => {
  model.play(
    {
      thinking: 'Hm.',
      text: 'Searching',
      calls: [
        { name: 'search', args: { q: 'a' } },
        { name: 'read', args: { q: 'b' } },
      ],
    },
    { text: 'Again', calls: [{ name: 'search', args: { q: 'c' } }] },
    { text: 'Found it' },
  );
  const message = await stream();
  assert.deepEqual(textsOf(message), ['thinking', 'Searching', 'Again', 'Found it']);
  assert.equal(message.stop_reason, 'end_turn');
  assert.deepEqual(
    [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens],
    [30, 6, 15],
  );
  const { messages } = model.asked[2]?.body ?? assert.fail();
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant', 'user'],
  );
  assert.deepEqual(messages[1]?.content, [
    { type: 'thinking', thinking: 'Hm.', signature: 'signature-0' },
    { type: 'text', text: 'Searching' },
    { type: 'tool_use', id: 'toolu_0_0', name: 'search', input: { q: 'a' } },
    { type: 'tool_use', id: 'toolu_0_1', name: 'read', input: { q: 'b' } },
  ]);
  assert.deepEqual(messages[2]?.content, [
    { type: 'tool_result', tool_use_id: 'toolu_0_0', content: [{ type: 'text', text: 'search got {"q":"a"}' }] },
    { type: 'tool_result', tool_use_id: 'toolu_0_1', content: [{ type: 'text', text: 'read got {"q":"b"}' }] },
  ]);
  assert.deepEqual(offered(), ['search', 'read']);
  assert.deepEqual(loop.ends, ['complete']);
  assert.deepEqual(
    loop.counted,
    ['called search ok', 'called read ok', 'called search ok', 'ended answered 3'].sort(byCall),
  );
  assert.equal(loop.reports[0]?.resultSha256.length, 64);
});

/** Calls of one turn end in any order. */
function byCall(a: string, b: string): number {
  return a.startsWith('ended') ? 1 : b.startsWith('ended') ? -1 : 0;
}

test('a failing, a hanging and an unknown tool, and arguments that do not fit, are errors that the model reads', async () => {
  tools.handlers.set('search', (_args, response) => void response.writeHead(500).end('broken'));
  tools.handlers.set('read', () => {});
  model.play(
    {
      calls: [
        { name: 'search', args: { q: 'a' } },
        { name: 'read', args: { q: 'a' } },
        { name: 'invented', args: {} },
        { name: 'search', args: { q: 1 } },
        { name: 'search', argumentsText: '{"q": ' },
      ],
    },
    { text: 'I see' },
  );
  assert.deepEqual(textsOf(await stream()), ['I see']);
  const said = results(1).map(({ is_error: isError, content }) => [isError, (content as { text: string }[])[0]?.text]);
  assert.deepEqual(said, [
    [true, 'Status 500: broken'],
    [true, 'No result within 300 ms'],
    [true, 'There is no tool "invented"; use one of: search, read'],
    [true, "The arguments do not fit the tool's schema: /q must be string"],
    [true, 'The arguments are no valid JSON'],
  ]);
  assert.equal(tools.calls.length, 2);
  await tools.calls[1]?.closed;
  const outcomes = [
    'called read timeout',
    'called search invalid_arguments',
    'called search tool_error',
    'called unknown unknown_tool',
  ];
  for (const outcome of outcomes) assert.ok(loop.counted.includes(outcome), outcome);
});

test('a turn that calls a tool of the client too goes back to the client, and nothing of ours was executed', async () => {
  const own = { name: 'weather', input_schema: { type: 'object' as const } };
  model.play(
    {
      text: 'Both',
      calls: [
        { name: 'search', args: { q: 'a' } },
        { name: 'weather', args: { city: 'B' } },
      ],
    },
    { text: 'Done' },
  );
  const message = await stream({ tools: [own] });
  assert.equal(message.stop_reason, 'tool_use');
  assert.deepEqual(textsOf(message), ['Both', 'tool_use']);
  assert.equal(tools.calls.length, 0);
  assert.deepEqual(loop.counted, ['ended client_tools 1']);
  // The conversation goes on as the client knows it.
  const [, call] = message.content;
  assert.deepEqual(call?.type === 'tool_use' && [call.name, call.input], ['weather', { city: 'B' }]);
  const result = {
    type: 'tool_result' as const,
    tool_use_id: call?.type === 'tool_use' ? call.id : '',
    content: 'Rain',
  };
  const messages = [
    QUESTION,
    { role: 'assistant' as const, content: message.content },
    { role: 'user' as const, content: [result] },
  ];
  assert.deepEqual(textsOf(await stream({ tools: [own], messages })), ['Done']);
});

test("the client's tool of the same name stays the client's, and its tools come first", async () => {
  const own = { name: 'search', input_schema: { type: 'object' as const } };
  model.play({ calls: [{ name: 'search', args: { q: 'a' } }] });
  assert.equal((await stream({ tools: [own] })).stop_reason, 'tool_use');
  assert.deepEqual(offered(), ['search', 'read']);
  assert.deepEqual(loop.counted, ['shadowed search', 'ended client_tools 1']);
});

test('a model that never stops ends in an error event at the cap', async () => {
  loop.use(spec({ maxRounds: 4 }));
  model.play({ text: 'More', calls: [{ name: 'search', args: { q: 'a' } }] });
  await assert.rejects(stream(), /toolLoop.maxRounds of 4/);
  assert.equal(model.asked.length, 4);
  assert.deepEqual(loop.counted.at(-1), 'ended rounds 4');
  assert.deepEqual(loop.ends, ['upstream_error api_error']);
});

test('caps of tokens and of time end it as well', async () => {
  loop.use(spec({ maxTokens: 30 }));
  model.play({ calls: [{ name: 'search', args: { q: 'a' } }] });
  await assert.rejects(stream(), /toolLoop.maxTokens of 30/);
  assert.equal(model.asked.length, 2);
  loop.use(spec({ maxDuration: '200ms', callTimeout: '10s' }));
  tools.handlers.set('search', () => {});
  await assert.rejects(stream(), /toolLoop.maxDuration of 200 ms/);
  assert.equal(loop.counted.at(-1), 'ended duration 1');
});

test('at most so many calls run at the same time', async () => {
  loop.use(spec({ maxParallel: 2, callTimeout: '10s' }));
  // Both slots are taken before any call ends, and a third would arrive in the time that they are held.
  tools.handlers.set('search', async (_args, response) => {
    await tools.call(1);
    setTimeout(() => response.end('x'), 20);
  });
  model.play(
    { calls: Array.from({ length: 7 }, (_, q) => ({ name: 'search', args: { q: String(q) } })) },
    { text: 'ok' },
  );
  await stream();
  assert.equal(results(1).length, 7);
  assert.equal(tools.mostAtOnce, 2);
});

test('a first turn that is refused is the answer; a later one is an error event, or the answer of who waits', async () => {
  model.play({ status: 529 });
  await assert.rejects(stream(), (error: { status?: number }) => error.status === 529);
  const refusedLater = [{ text: 'One', calls: [{ name: 'search', args: { q: 'a' } }] }, { status: 529 }];
  model.play(...refusedLater);
  await assert.rejects(stream(), /overloaded_error.*Scripted refusal/);
  model.play(...refusedLater);
  const whole = client.messages.create(ASK);
  await assert.rejects(whole, (error: { status?: number; headers?: Headers }) => {
    assert.deepEqual([error.status, error.headers?.get('x-should-retry')], [529, 'false']);
    return true;
  });
});

test('a later turn that breaks off, ends early or sends an error event is never passed off as whole', async () => {
  const first = { text: 'One', calls: [{ name: 'search', args: { q: 'a' } }] };
  model.play(first, { text: 'Half', cutAt: 4 });
  await assert.rejects(stream(), /broke off/);
  assert.equal(loop.ends.at(-1)?.split(' ')[0], 'upstream_cut');
  model.play(first, { text: 'Half', errorAt: 4 });
  await assert.rejects(stream(), /Scripted refusal/);
  assert.equal(loop.ends.at(-1), 'upstream_error overloaded_error');
});

test('a client that waits gets one whole message', async () => {
  model.play({ thinking: 'Hm.', text: 'First', calls: [{ name: 'search', args: { q: 'a' } }] }, { text: 'Second' });
  const message = await client.messages.create(ASK);
  assert.deepEqual(textsOf(message), ['thinking', 'First', 'Second']);
  assert.deepEqual(
    [message.stop_reason, message.usage.output_tokens, message.usage.input_tokens],
    ['end_turn', 10, 20],
  );
  loop.use(spec({ maxRounds: 1 }));
  model.play({ text: 'More', calls: [{ name: 'search', args: { q: 'a' } }] });
  await assert.rejects(client.messages.create(ASK), /toolLoop.maxRounds of 1/);
});

test('a forced choice is relaxed after its call, a forbidden one leaves the request alone', async () => {
  model.play({ calls: [{ name: 'search', args: { q: 'a' } }] }, { text: 'ok' });
  await stream({ tool_choice: { type: 'any', disable_parallel_tool_use: true } });
  assert.deepEqual(
    model.asked.map(({ body }) => body.tool_choice),
    [
      { type: 'any', disable_parallel_tool_use: true },
      { type: 'auto', disable_parallel_tool_use: true },
    ],
  );
  model.play({ text: 'ok' });
  await stream({ tool_choice: { type: 'none' } });
  assert.equal(model.asked[0]?.body.tools, undefined);
});

test('shown calls and results are blocks of their own, and become the conversation again that the model had', async () => {
  loop.use(spec({ calls: 'shown', progress: 'text' }));
  const turns = [
    {
      thinking: 'Hm.',
      text: 'Searching',
      calls: [
        { name: 'search', args: { q: 'a' } },
        { name: 'read', args: { q: 1 } },
      ],
    },
    { text: 'Found it' },
  ];
  model.play(...turns);
  const streamed = await stream();
  const had = model.asked[1]?.body.messages;
  model.play(...turns);
  const whole = await client.messages.create(ASK);
  for (const { content } of [streamed, whole]) {
    const kinds = content.map(({ type }) => String(type)).filter((type) => type.startsWith('mcp'));
    assert.deepEqual(kinds, ['mcp_tool_use', 'mcp_tool_use', 'mcp_tool_result', 'mcp_tool_result']);
    model.play({ text: 'ok' });
    await stream({ messages: [QUESTION, { role: 'assistant', content }, QUESTION] });
    const { messages = [] } = model.asked[0]?.body ?? {};
    assert.deepEqual(messages.slice(0, 3), had);
    assert.deepEqual(messages[3], { role: 'assistant', content: [{ type: 'text', text: 'Found it' }] });
  }
  // Left in the middle: a call without a result is gone.
  model.play({ text: 'ok' });
  const half = streamed.content.slice(0, 6);
  assert.ok(half.some(({ type }) => String(type) === 'mcp_tool_use'));
  await stream({ messages: [QUESTION, { role: 'assistant', content: half }, QUESTION] });
  assert.deepEqual(model.asked[0]?.body.messages[1]?.content, [
    { type: 'thinking', thinking: 'Hm.', signature: 'signature-0' },
    { type: 'text', text: 'Searching' },
  ]);
});

test("a mixed turn with shown calls: ours are executed, and their results meet the client's in one message", async () => {
  loop.use(spec({ calls: 'shown' }));
  const own = [{ name: 'weather', input_schema: { type: 'object' as const } }];
  const calls = [
    { name: 'search', args: { q: 'a' } },
    { name: 'weather', args: { city: 'B' } },
  ];
  for (const streamed of [true, false]) {
    model.play({ text: 'Both', calls });
    const asked = { ...ASK, tools: own };
    const message = streamed ? await stream(asked) : await client.messages.create(asked);
    assert.equal(message.stop_reason, 'tool_use');
    const kinds = message.content.map(({ type }) => String(type));
    assert.deepEqual(kinds, ['text', 'tool_use', 'mcp_tool_use', 'mcp_tool_result']);
    assert.equal(loop.counted.at(-1), 'ended client_tools 1');
    model.play({ text: 'Done' });
    const result = { type: 'tool_result' as const, tool_use_id: 'toolu_0_1', content: 'Rain' };
    const messages = [
      QUESTION,
      { role: 'assistant' as const, content: message.content },
      { role: 'user' as const, content: [result] },
    ];
    assert.deepEqual(textsOf(await stream({ tools: own, messages })), ['Done']);
    assert.deepEqual(model.asked[0]?.body.messages.slice(1), [
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Both' },
          { type: 'tool_use', id: 'toolu_0_1', name: 'weather', input: { city: 'B' } },
          { type: 'tool_use', id: 'toolu_0_0', name: 'search', input: { q: 'a' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_0_0', content: [{ type: 'text', text: 'search got {"q":"a"}' }] },
          result,
        ],
      },
    ]);
  }
});
