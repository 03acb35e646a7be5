/** The providers' own JavaScript SDKs take everything that passes through us, and everything that we say ourselves. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { ANSWER, MODEL, PROMPT, type Served, serveBothDialects, WORDS } from '../support/clients/both-dialects.ts';
import { takeOne, takeRecords } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';

let served: Served;
let anthropic: Anthropic;
let openai: OpenAI;
before(async () => {
  served = await serveBothDialects();
  anthropic = new Anthropic({ apiKey: 'sk-test', baseURL: served.url, maxRetries: 0 });
  openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${served.url}/v1`, maxRetries: 0 });
});
after(() => served.stop());
beforeEach(() => served.upstream.journal.reset());

const messages = [{ role: 'user', content: PROMPT } as const];
const ask = { model: MODEL, max_tokens: 100, messages };

async function endsOf(count: number): Promise<string[]> {
  return (await takeRecords(served.proxy, count)).map(({ end }) => end);
}

test('anthropic: messages, whole and streamed, are what the upstream said', async () => {
  const whole = await anthropic.messages.create(ask);
  assert.deepEqual(whole.content, [{ type: 'text', text: ANSWER }]);
  const stream = anthropic.messages.stream(ask);
  const types = new Set<string>();
  for await (const event of stream) types.add(event.type);
  const final = await stream.finalMessage();
  assert.deepEqual(final.content, [{ type: 'text', text: ANSWER }]);
  assert.deepEqual([final.stop_reason, final.usage.output_tokens], ['end_turn', WORDS]);
  assert.ok(types.has('message_start') && types.has('message_stop'));
  assert.match(stream.request_id ?? '', /^req_scripted_/);
  assert.deepEqual(await endsOf(2), ['complete', 'complete']);
});

test('anthropic: count_tokens and models', async () => {
  const { input_tokens } = await anthropic.messages.countTokens({ model: MODEL, messages });
  assert.ok(input_tokens > 0);
  const names: string[] = [];
  for await (const model of anthropic.models.list()) names.push(model.id);
  assert.deepEqual(names, ['scripted', 'scripted-mini']);
  assert.deepEqual(await endsOf(2), ['complete', 'complete']);
});

test('openai: chat completions, whole and streamed', async () => {
  const whole = await openai.chat.completions.create({ model: MODEL, messages });
  assert.equal(whole.choices[0]?.message.content, ANSWER);
  const stream = openai.chat.completions.stream({ model: MODEL, messages, stream_options: { include_usage: true } });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0]?.message.content, ANSWER);
  assert.deepEqual([final.choices[0]?.finish_reason, final.usage?.completion_tokens], ['stop', WORDS]);
  const [, record] = await takeRecords(served.proxy, 2);
  assert.deepEqual([record?.end, record?.usage?.outputTokens], ['complete', WORDS]);
});

test('openai: responses, whole and streamed', async () => {
  const whole = await openai.responses.create({ model: MODEL, input: PROMPT });
  assert.equal(whole.output_text, ANSWER);
  const stream = openai.responses.stream({ model: MODEL, input: PROMPT });
  const final = await stream.finalResponse();
  assert.deepEqual([final.output_text, final.status, final.usage?.output_tokens], [ANSWER, 'completed', WORDS]);
  assert.deepEqual(await endsOf(2), ['complete', 'complete']);
});

test('openai: embeddings and models', async () => {
  const { data } = await openai.embeddings.create({ model: MODEL, input: ['a', 'b'], encoding_format: 'float' });
  assert.deepEqual(
    data.map(({ embedding }) => embedding),
    [
      [0.6, 0, -0.8, 0],
      [0.6, 0, -0.8, 0],
    ],
  );
  const names: string[] = [];
  for await (const model of openai.models.list()) names.push(model.id);
  assert.deepEqual(names, ['scripted', 'scripted-mini']);
  assert.deepEqual(await endsOf(2), ['complete', 'complete']);
});

interface SdkError extends Error {
  readonly status?: number;
  readonly requestID?: string | null;
  readonly headers?: Headers;
}

/** Sends one request that fails, streamed and not, by each SDK; @returns what the SDKs threw */
async function failures(model: string): Promise<{ anthropic: SdkError[]; openai: SdkError[] }> {
  const thrown = (work: Promise<unknown>): Promise<SdkError> =>
    work.then(
      () => assert.fail(`${model} was answered`),
      (error: SdkError) => error,
    );
  const chat = { model, messages };
  return {
    anthropic: [
      await thrown(anthropic.messages.create({ ...ask, model })),
      await thrown(anthropic.messages.stream({ ...ask, model }).finalMessage()),
    ],
    openai: [
      await thrown(openai.chat.completions.create(chat)),
      await thrown(openai.chat.completions.stream(chat).finalChatCompletion()),
      await thrown(openai.responses.create({ model, input: PROMPT })),
    ],
  };
}

const PROVIDER_ERRORS = [
  [429, Anthropic.RateLimitError, OpenAI.RateLimitError],
  [500, Anthropic.InternalServerError, OpenAI.InternalServerError],
  [529, Anthropic.InternalServerError, OpenAI.InternalServerError],
] as const;

for (const [status, anthropicError, openaiError] of PROVIDER_ERRORS) {
  test(`a provider's ${status} arrives as the SDK's own error, with its request id and retry-after`, async () => {
    const seen = await failures(`scripted?status=${status}&retry-after=7`);
    for (const error of seen.anthropic) assert.ok(error instanceof anthropicError, `${error}`);
    for (const error of seen.openai) assert.ok(error instanceof openaiError, `${error}`);
    for (const error of [...seen.anthropic, ...seen.openai]) {
      assert.equal(error.status, status);
      assert.match(error.requestID ?? '', /^req_scripted_/);
      assert.equal(error.headers?.get('retry-after'), '7');
    }
    assert.deepEqual(new Set(await endsOf(5)), new Set(['complete']));
  });
}

const OUR_ERRORS = [
  ['unrouted', 404, Anthropic.NotFoundError, OpenAI.NotFoundError, 'rejected'],
  ['nowhere', 502, Anthropic.InternalServerError, OpenAI.InternalServerError, 'no_answer'],
  ['invalid', 503, Anthropic.InternalServerError, OpenAI.InternalServerError, 'rejected'],
  ['silent?hang=0', 504, Anthropic.InternalServerError, OpenAI.InternalServerError, 'no_answer'],
] as const;

for (const [model, status, anthropicError, openaiError, end] of OUR_ERRORS) {
  test(`our own ${status} arrives as the SDK's own error, with the exchange's id`, async () => {
    const seen = await failures(model);
    for (const error of seen.anthropic) assert.ok(error instanceof anthropicError, `${error}`);
    for (const error of seen.openai) assert.ok(error instanceof openaiError, `${error}`);
    const errors = [...seen.anthropic, ...seen.openai];
    const records = await takeRecords(served.proxy, errors.length);
    assert.deepEqual(
      errors.map((error) => [error.status, error.requestID]),
      records.map(({ id }) => [status, id]),
    );
    for (const error of errors) assert.match(error.message, /Sluice: /);
    assert.deepEqual(new Set(records.map((record) => record.end)), new Set([end]));
  });
}

test('an SDK that retries gets its answer after a 529, and asks once where we say that retrying is pointless', async () => {
  const patient = new Anthropic({ apiKey: 'sk-test', baseURL: served.url, maxRetries: 2 });
  served.upstream.journal.queue('status=529&retry-after=0', 1);
  const message = await patient.messages.create(ask);
  assert.deepEqual(message.content, [{ type: 'text', text: ANSWER }]);
  assert.deepEqual(
    (await takeRecords(served.proxy, 2)).map(({ status }) => status),
    [529, 200],
  );
  await assert.rejects(patient.messages.create({ ...ask, model: 'invalid' }), Anthropic.InternalServerError);
  await patient.messages.create(ask);
  // Had it been tried again, the next record would be another 503.
  assert.deepEqual(
    (await takeRecords(served.proxy, 2)).map(({ status }) => status),
    [503, 200],
  );
});

test('an error event and a cut in the middle of a stream are errors for the SDKs, never a whole answer', async () => {
  for (const how of ['error=6', 'cut=6', 'close=6']) {
    const model = `scripted?delay=0&${how}`;
    await assert.rejects(anthropic.messages.stream({ ...ask, model }).finalMessage(), Anthropic.AnthropicError, how);
    await assert.rejects(openai.chat.completions.stream({ model, messages }).finalChatCompletion(), how);
  }
  const cut = ['upstream_cut', 'upstream_cut'];
  assert.deepEqual(await endsOf(6), ['upstream_error', 'upstream_error', ...cut, ...cut]);
});

async function upstreamLeft(): Promise<void> {
  await until('the upstream sees that we left', () =>
    [...served.upstream.journal.answers.values()].every(({ end }) => end === 'client_gone') ? true : undefined,
  );
  assert.equal((await takeOne(served.proxy)).end, 'client_gone');
}

test('an abort in an SDK closes the upstream, mid-stream and while waiting', async () => {
  const model = 'scripted?delay=0&hold=8';
  const running = anthropic.messages.stream({ ...ask, model });
  for await (const event of running) if (event.type === 'content_block_delta') break;
  running.abort();
  await upstreamLeft();
  served.upstream.journal.reset();
  const chat = await openai.chat.completions.create({ model, messages, stream: true });
  for await (const _chunk of chat) chat.controller.abort();
  await upstreamLeft();
  served.upstream.journal.reset();
  const controller = new AbortController();
  const waiting = openai.responses.create({ model: 'scripted?hang=0', input: PROMPT }, { signal: controller.signal });
  waiting.catch(() => {});
  await until('the upstream has the request', () => (served.upstream.journal.exchanges === 1 ? true : undefined));
  controller.abort();
  await assert.rejects(waiting, OpenAI.APIUserAbortError);
  await upstreamLeft();
});
