/** A program that speaks one dialect works unchanged on an upstream of the other: official SDKs, errors and ends included. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { takeOne } from '../support/clients/records.ts';
import { ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawUpstream } from '../support/raw-upstream.ts';
import { type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream/server.ts';
import { answerPieces } from '../support/scripted-upstream/text.ts';

const PROMPT = 'Tell me about rivers';
const WORDS = 12;
const ANSWER = answerPieces(PROMPT, WORDS).join('');
const messages = [{ role: 'user', content: PROMPT } as const];

let upstream: ScriptedUpstream;
let proxy: ProxyProcess;
let anthropic: Anthropic;
let openai: OpenAI;
before(async () => {
  upstream = await startScriptedUpstream({ delayMs: 0 });
  proxy = await ProxyProcess.start(specOf(upstream.url));
  const url = `http://127.0.0.1:${proxy.listenPort}`;
  anthropic = new Anthropic({ apiKey: 'sk-ant-canary', baseURL: url, maxRetries: 0 });
  openai = new OpenAI({ apiKey: 'sk-openai-canary', baseURL: `${url}/v1`, maxRetries: 0 });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});
beforeEach(() => upstream.journal.reset());

/** Each client's path leads to the upstream of the other dialect; `chain*` falls back from a native one to a foreign one. */
function specOf(url: string): Spec {
  const strict = { onLoss: 'refuse' } as const;
  return {
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url },
      { name: 'claude-b', dialect: 'anthropic', url },
      {
        name: 'gpt',
        dialect: 'openai',
        url: `${url}/v1`,
        modelMap: [{ from: 'claude-*', to: `scripted?words=${WORDS}` }],
      },
      { name: 'strict', dialect: 'openai', url, translation: strict },
    ],
    routes: [
      {
        name: 'chain',
        match: { paths: ['/v1/messages'], models: ['scripted?status=529*'] },
        upstreams: [{ name: 'claude' }],
        fallback: [{ name: 'gpt', model: `scripted?words=${WORDS}` }],
      },
      { name: 'strict', match: { headers: [{ name: 'x-strict', values: ['yes'] }] }, upstreams: [{ name: 'strict' }] },
      { name: 'native', match: { paths: ['/v1/messages'], models: ['native*'] }, upstreams: [{ name: 'claude-b' }] },
      { name: 'to-gpt', match: { paths: ['/v1/messages*'] }, upstreams: [{ name: 'gpt' }] },
      { name: 'to-claude', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'claude' }] },
    ],
  };
}

function scenario(text: string): string {
  return `scripted?words=${WORDS}&${text}`;
}

test('an Anthropic program on an OpenAI upstream, whole and streamed', async () => {
  const ask = { model: scenario('chunk=7'), max_tokens: 100, messages };
  const whole = await anthropic.messages.create(ask);
  assert.deepEqual(
    whole.content.map((block) => (block.type === 'text' ? block.text : block.type)),
    [ANSWER],
  );
  const stream = anthropic.messages.stream(ask);
  const types: string[] = [];
  for await (const event of stream) types.push(event.type);
  const final = await stream.finalMessage();
  assert.equal(final.content[0]?.type === 'text' && final.content[0].text, ANSWER);
  assert.deepEqual([final.stop_reason, final.usage.output_tokens], ['end_turn', WORDS]);
  assert.deepEqual([types[0], types.at(-2), types.at(-1)], ['message_start', 'message_delta', 'message_stop']);
  assert.deepEqual(
    upstream.journal.requests.map(({ path }) => path),
    ['/v1/chat/completions', '/v1/chat/completions'],
  );
  for (let i = 0; i < 2; i++) {
    const { end, dialect, upstream: served, usage } = await takeOne(proxy);
    assert.deepEqual([end, dialect, served, usage?.outputTokens], ['complete', 'anthropic', 'gpt', WORDS]);
  }
});

test('an OpenAI program on an Anthropic upstream, whole and streamed', async () => {
  const ask = { model: scenario('chunk=7'), messages };
  const whole = await openai.chat.completions.create(ask);
  assert.deepEqual([whole.choices[0]?.message.content, whole.object], [ANSWER, 'chat.completion']);
  const stream = openai.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0]?.message.content, ANSWER);
  assert.deepEqual([final.choices[0]?.finish_reason, final.usage?.completion_tokens], ['stop', WORDS]);
  assert.ok(upstream.journal.requests.every(({ path }) => path === '/v1/messages'));
  const versions = upstream.journal.requests.map(({ headers }) =>
    headers.find(([name]) => name === 'anthropic-version'),
  );
  assert.ok(versions.every((header) => header?.[1] === '2023-06-01'));
  for (let i = 0; i < 2; i++) assert.equal((await takeOne(proxy)).end, 'complete');
});

test("the caller's key reaches no upstream of the other dialect", async () => {
  await anthropic.messages.create({ model: scenario(''), max_tokens: 9, messages });
  await openai.chat.completions.create({ model: scenario(''), messages });
  assert.doesNotMatch(JSON.stringify(upstream.journal.requests), /canary/);
  for (let i = 0; i < 2; i++) await takeOne(proxy);
});

test("an upstream's own name for a model is sent, and its answer says so", async () => {
  const { content } = await anthropic.messages.create({ model: 'claude-opus-4', max_tokens: 100, messages });
  assert.equal(content[0]?.type === 'text' && content[0].text, ANSWER);
  const { model } = await takeOne(proxy);
  assert.deepEqual([model.asked, model.sent], ['claude-opus-4', `scripted?words=${WORDS}`]);
});

for (const [status, anthropicError, openaiError] of [
  [429, Anthropic.RateLimitError, OpenAI.RateLimitError],
  [500, Anthropic.InternalServerError, OpenAI.InternalServerError],
  [400, Anthropic.BadRequestError, OpenAI.BadRequestError],
] as const) {
  test(`an upstream's ${status} arrives as the error of the client's own SDK`, async () => {
    const model = `scripted?status=${status}&retry-after=3`;
    await assert.rejects(anthropic.messages.stream({ model, max_tokens: 9, messages }).finalMessage(), (error) => {
      assert.ok(error instanceof anthropicError);
      const { type, error: inner } = error.error as { type: string; error: { type: string; message: string } };
      assert.deepEqual([type, typeof inner.type, typeof inner.message], ['error', 'string', 'string']);
      return true;
    });
    await assert.rejects(openai.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof openaiError);
      assert.equal(typeof error.message, 'string');
      assert.equal(error.headers?.get('retry-after'), '3');
      return true;
    });
    for (let i = 0; i < 2; i++) assert.deepEqual([(await takeOne(proxy)).status], [status]);
  });
}

test('a stream that breaks off ends in an error event, and is never taken for whole', async () => {
  for (const how of ['cut=6', 'close=6', 'reset=6']) {
    const stream = anthropic.messages.stream({ model: scenario(how), max_tokens: 100, messages });
    await assert.rejects(stream.finalMessage(), /broke off|terminated|aborted/i, how);
    assert.equal((await takeOne(proxy)).end, 'upstream_cut', how);
    const chat = openai.chat.completions.stream({ model: scenario(how), messages });
    await assert.rejects(chat.finalChatCompletion(), how);
    assert.equal((await takeOne(proxy)).end, 'upstream_cut', how);
  }
});

test('an error event inside the stream arrives as one of the client', async () => {
  const stream = anthropic.messages.stream({ model: scenario('error=6'), max_tokens: 100, messages });
  await assert.rejects(stream.finalMessage(), (error) => error instanceof Anthropic.APIError);
  assert.equal((await takeOne(proxy)).end, 'upstream_error');
  const chat = openai.chat.completions.stream({ model: scenario('error=6'), messages });
  await assert.rejects(chat.finalChatCompletion(), (error) => error instanceof OpenAI.APIError);
  assert.equal((await takeOne(proxy)).end, 'upstream_error');
});

test('each event leaves before the next one has come', async () => {
  const stream = anthropic.messages.stream({ model: scenario('hold=5&gate=slow'), max_tokens: 100, messages });
  const first = await new Promise<string>((resolve) => stream.once('text', resolve));
  assert.ok(ANSWER.startsWith(first));
  upstream.journal.release('slow');
  assert.equal((await stream.finalMessage()).stop_reason, 'end_turn');
  assert.equal((await takeOne(proxy)).end, 'complete');
});

test('a client that leaves closes the upstream', async () => {
  const stream = anthropic.messages.stream({ model: scenario('hold=5&gate=never'), max_tokens: 100, messages });
  stream.once('text', () => stream.abort());
  await assert.rejects(stream.finalMessage());
  assert.equal((await takeOne(proxy)).end, 'client_gone');
  const ends = (): (string | undefined)[] =>
    [...upstream.journal.answers.values()].map((answer) => (answer.toJSON() as { end?: string }).end);
  while (ends().includes('open')) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ends(), ['client_gone']);
});

test('a route falls back from a native upstream to one of the other dialect', async () => {
  const stream = anthropic.messages.stream({ model: 'scripted?status=529', max_tokens: 100, messages });
  const final = await stream.finalMessage();
  assert.equal(final.content[0]?.type === 'text' && final.content[0].text, ANSWER);
  const { attempts } = await takeOne(proxy);
  assert.deepEqual(
    attempts.map(({ upstream: name, outcome }) => [name, outcome]),
    [
      ['claude', 'refused'],
      ['gpt', 'answered'],
    ],
  );
});

test('what has no place in the other dialect is counted, or refused by name', async () => {
  const ask = { model: scenario(''), max_tokens: 9, top_k: 5, messages };
  await anthropic.messages.create(ask);
  const { text } = await proxy.admin('/metrics');
  assert.match(text, /sluice_translation_losses_total\{upstream="gpt",what="top_k"\} [1-9]/);
  await assert.rejects(anthropic.messages.create(ask, { headers: { 'x-strict': 'yes' } }), (error) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.match(error.message, /top_k/);
    return true;
  });
  for (let i = 0; i < 2; i++) await takeOne(proxy);
});

test('count_tokens is never guessed', async () => {
  await assert.rejects(anthropic.messages.countTokens({ model: 'claude-x', messages }), (error) => {
    assert.ok(error instanceof Anthropic.APIError);
    assert.equal(error.status, 501);
    return true;
  });
  assert.equal((await takeOne(proxy)).end, 'rejected');
});

test('a tool is called and its result carried back, each in the form of its side', async () => {
  const tools = [{ name: 'weather', description: 'Weather of a city', input_schema: { type: 'object' as const } }];
  const model = scenario('tool=1');
  const asked = await anthropic.messages.stream({ model, max_tokens: 100, messages, tools }).finalMessage();
  const call = asked.content.find((block) => block.type === 'tool_use');
  assert.deepEqual([asked.stop_reason, call?.name, call?.input], ['tool_use', 'weather', { city: 'Zürich' }]);
  const answered = await anthropic.messages
    .stream({
      model,
      max_tokens: 100,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: asked.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call?.id ?? '', content: 'Sunny' }] },
      ],
    })
    .finalMessage();
  assert.equal(answered.stop_reason, 'end_turn');
  const chatTools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
  const chat = openai.chat.completions.stream({ model, messages, tools: chatTools });
  const { message, finish_reason: finish } = (await chat.finalChatCompletion()).choices[0] ?? {};
  const [chatCall] = message?.tool_calls ?? [];
  assert.equal(finish, 'tool_calls');
  assert.deepEqual(chatCall?.type === 'function' && JSON.parse(chatCall.function.arguments), { city: 'Zürich' });
  const after = await openai.chat.completions.create({
    model,
    tools: chatTools,
    messages: [
      ...messages,
      { role: 'assistant', content: null, tool_calls: message?.tool_calls ?? [] },
      { role: 'tool', tool_call_id: chatCall?.id ?? '', content: 'Sunny' },
    ],
  });
  assert.equal(after.choices[0]?.finish_reason, 'stop');
  for (let i = 0; i < 4; i++) assert.equal((await takeOne(proxy)).end, 'complete');
});

test('thinking that nobody signed never reaches Anthropic itself', async () => {
  const signed = { type: 'thinking' as const, thinking: 'Signed.', signature: 'c2lnbmVk' };
  const own = { type: 'thinking' as const, thinking: 'Ours.', signature: 'sluice-unsigned' };
  const turns = [
    ...messages,
    { role: 'assistant' as const, content: [own, signed, { type: 'text' as const, text: 'Rivers.' }] },
    { role: 'user' as const, content: 'And lakes?' },
  ];
  const ask = { model: 'native?words=3', max_tokens: 9, messages: turns };
  await anthropic.messages.create(ask);
  const [native] = upstream.journal.requests;
  const expected = JSON.stringify({
    ...ask,
    messages: [turns[0], { role: 'assistant', content: [signed, { type: 'text', text: 'Rivers.' }] }, turns[2]],
  });
  assert.equal(native?.path, '/v1/messages');
  assert.equal(native.bodySha256, createHash('sha256').update(expected).digest('hex'));
  assert.equal((await takeOne(proxy)).end, 'complete');
});

test('an upstream that answers whole although a stream was asked still gives the client one', async () => {
  const raw = await RawUpstream.start();
  const spec = specOf(raw.url);
  const own = await ProxyProcess.start(spec);
  try {
    const sdk = new Anthropic({ apiKey: 'k', baseURL: `http://127.0.0.1:${own.listenPort}`, maxRetries: 0 });
    const asked = sdk.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage();
    const exchange = await raw.next();
    const body = JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'All at once' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    });
    await exchange.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const message = await asked;
    assert.deepEqual(
      [
        message.content[0]?.type === 'text' && message.content[0].text,
        message.stop_reason,
        message.usage.output_tokens,
      ],
      ['All at once', 'end_turn', 4],
    );
    assert.equal((await takeOne(own)).end, 'complete');
  } finally {
    await own.stop();
    await raw.close();
  }
});

test('an error that an upstream sends with status 200 reaches the client as one', async () => {
  const raw = await RawUpstream.start();
  const own = await ProxyProcess.start(specOf(raw.url));
  try {
    const sdk = new Anthropic({ apiKey: 'k', baseURL: `http://127.0.0.1:${own.listenPort}`, maxRetries: 0 });
    for (const stream of [false, true]) {
      const asked = assert.rejects(sdk.messages.create({ model: 'm', max_tokens: 9, messages, stream }), (error) => {
        assert.ok(error instanceof Anthropic.RateLimitError);
        assert.match(error.message, /Slow down/);
        return true;
      });
      const exchange = await raw.next();
      const body = JSON.stringify({ error: { code: 429, message: 'Slow down' } });
      await exchange.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await asked;
      const { status, end } = await takeOne(own);
      assert.deepEqual([status, end], [429, 'complete']);
    }
  } finally {
    await own.stop();
    await raw.close();
  }
});

test('a request that is too long to be translated gets 413, and those that fit go on, one after the other', async () => {
  const ask = (bytes: number): Promise<unknown> =>
    anthropic.messages.create({
      model: scenario(''),
      max_tokens: 9,
      messages: [{ role: 'user', content: 'x'.repeat(bytes) }],
    });
  await assert.rejects(ask(9 * 1024 ** 2), (error) => {
    assert.ok(error instanceof Anthropic.APIError);
    assert.deepEqual([error.status, /Send at most 8388608 bytes/.test(error.message)], [413, true]);
    return true;
  });
  // More than all may hold together, so that nothing given back would be seen.
  for (let i = 0; i < 4; i++) await ask(6 * 1024 ** 2);
  for (let i = 0; i < 5; i++) await takeOne(proxy);
});
