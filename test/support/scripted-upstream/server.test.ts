/** The scripted upstream is held to the official SDKs and to its own journal: what tests measure with must be right itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type ScriptedUpstream, startScriptedUpstream } from './server.ts';

let upstream: ScriptedUpstream;

before(async () => {
  upstream = await startScriptedUpstream({ delayMs: 0 });
});
after(() => upstream.close());

const messages = [{ role: 'user' as const, content: 'Sing of streams' }];

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${upstream.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

function ask(scenario: string, headers: Record<string, string> = {}): Promise<Response> {
  return post('/v1/messages', { model: `scripted?${scenario}`, stream: true, max_tokens: 9, messages }, headers);
}

interface AnswerEntry {
  sha256: string;
  bytes: number;
  events: number;
  end: string;
}

async function entry(response: Response): Promise<AnswerEntry> {
  const id = response.headers.get('scripted-answer-id') ?? '';
  return (await (await fetch(`${upstream.url}/control/answers/${id}`)).json()) as AnswerEntry;
}

/** Until the upstream has noted the end: it may notice after the client does. */
async function ended(response: Response): Promise<AnswerEntry> {
  for (;;) {
    const found = await entry(response);
    if (found.end !== 'open') return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('the Anthropic SDK accumulates a streamed message and reads a whole one', async () => {
  const client = new Anthropic({ baseURL: upstream.url, apiKey: 'k', maxRetries: 0 });
  const request = { model: 'scripted?words=30', max_tokens: 100, messages };
  const streamed = await client.messages.stream(request).finalMessage();
  const whole = await client.messages.create(request);
  assert.equal(streamed.stop_reason, 'end_turn');
  assert.equal(streamed.usage.output_tokens, 30);
  assert.deepEqual(streamed.content, whole.content);
  assert.match(JSON.stringify(whole.content), /Sing of streams.*🌊/);
  const counted = await client.messages.countTokens({ model: 'scripted', messages });
  assert.ok(counted.input_tokens > 0);
});

test('the OpenAI SDK reads chat completions, responses, embeddings and models', async () => {
  const client = new OpenAI({ baseURL: `${upstream.url}/v1`, apiKey: 'k', maxRetries: 0 });
  const chat = client.chat.completions.stream({ model: 'scripted', messages, stream_options: { include_usage: true } });
  const completion = await chat.finalChatCompletion();
  assert.equal(completion.usage?.completion_tokens, 24);
  assert.equal(completion.choices[0]?.finish_reason, 'stop');
  const response = await client.responses.stream({ model: 'scripted', input: 'Sing of streams' }).finalResponse();
  assert.equal(response.status, 'completed');
  assert.equal(response.output_text, completion.choices[0]?.message.content);
  const embedded = await client.embeddings.create({ model: 'scripted', input: ['a', 'b'], encoding_format: 'float' });
  assert.equal(embedded.data.length, 2);
  assert.equal((await client.models.list()).data[0]?.id, 'scripted');
});

test('the journal holds the hash of the bytes sent, and the same request has the same bytes', async () => {
  const [first, second] = [await ask('words=10&chunk=7'), await ask('words=10')].map(async (r) => {
    const bytes = Buffer.from(await r.arrayBuffer());
    const noted = await ended(r);
    assert.equal(noted.end, 'complete');
    assert.equal(noted.bytes, bytes.length);
    assert.equal(noted.sha256, createHash('sha256').update(bytes).digest('hex'));
    return bytes.toString('utf8').replaceAll(/scripted\?[^"]*|msg_\w+|"input_tokens":\d+/g, '');
  });
  assert.equal(await first, await second);
});

test('a held answer sends its first event and no second one until its gate is released', async () => {
  const response = await ask('hold=2&gate=here');
  const reader = (response.body ?? assert.fail('no body')).getReader();
  const first = Buffer.from((await reader.read()).value ?? []).toString();
  assert.match(first, /^event: message_start\n[^\n]*\n\n$/);
  assert.equal((await entry(response)).events, 1);
  await fetch(`${upstream.url}/control/release/here`, { method: 'POST' });
  assert.match(Buffer.from((await reader.read()).value ?? []).toString(), /^event: content_block_start/);
  await reader.cancel();
});

test('cut, reset, closed, failing and silent answers end as their scenario says', async () => {
  for (const how of ['cut', 'reset']) {
    const broken = await ask(`${how}=5`);
    await assert.rejects(broken.text(), TypeError);
    assert.equal((await ended(broken)).end, 'cut');
    assert.equal((await entry(broken)).events, 4);
    await assert.rejects(ask(`${how}=0`), TypeError);
  }
  const closed = await ask('close=5');
  assert.doesNotMatch(await closed.text(), /message_stop/);
  assert.equal((await ended(closed)).end, 'closed');
  const failing = await ask('error=5');
  assert.match(await failing.text(), /event: error\ndata: [^\n]*overloaded_error[^\n]*\n\n$/);
  assert.equal((await ended(failing)).end, 'error');
  const silent = await ask('hang=5');
  await silent.body?.cancel();
  assert.equal((await ended(silent)).end, 'client_gone');
});

test('refusals come in the dialect, with retry-after, by model, by header and for the next requests', async () => {
  const refused = await ask('status=529&retry-after=3');
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [529, '3']);
  assert.match(await refused.text(), /"type":"error","error":{"type":"overloaded_error"/);
  const byHeader = await post('/v1/chat/completions', { model: 'scripted', messages }, { 'x-scripted': 'status=429' });
  assert.equal(byHeader.status, 429);
  assert.match(await byHeader.text(), /"code":"rate_limit_exceeded"/);
  await fetch(`${upstream.url}/control/next?times=2`, { method: 'POST', body: 'status=500' });
  const statuses = [await ask('words=1'), await ask('words=1'), await ask('words=1')].map((r) => r.status);
  assert.deepEqual(statuses, [500, 500, 200]);
  const unknown = await ask('wrods=1');
  assert.equal(unknown.status, 400);
  assert.match(await unknown.text(), /Unknown scenario key .*wrods/);
});

test('the journal lists requests with their header values, or hashes of credentials where asked', async () => {
  await fetch(`${upstream.url}/control/reset`, { method: 'POST' });
  const body = JSON.stringify({ model: 'scripted', messages });
  await (await fetch(`${upstream.url}/v1/messages`, { method: 'POST', headers: { 'x-api-key': 'k-1' }, body })).text();
  const [request] = (await (
    await fetch(`${upstream.url}/control/requests`)
  ).json()) as (typeof upstream.journal.requests)[number][];
  assert.equal(request?.path, '/v1/messages');
  assert.equal(request.bodySha256, createHash('sha256').update(body).digest('hex'));
  assert.deepEqual(
    request.headers.find(([name]) => name === 'x-api-key'),
    ['x-api-key', 'k-1'],
  );
  const hiding = await startScriptedUpstream({ hideCredentials: true });
  await (
    await fetch(`${hiding.url}/echo`, { method: 'POST', headers: { authorization: 'Bearer k-2' }, body: 'x' })
  ).text();
  assert.doesNotMatch(JSON.stringify(hiding.journal.requests), /k-2/);
  await hiding.close();
});

test('a required key is asked for in either header', async () => {
  const locked = await startScriptedUpstream({ requireKey: 'right', delayMs: 0 });
  const status = async (headers: Record<string, string>): Promise<number> => {
    const body = JSON.stringify({ model: 'scripted', messages });
    return (await fetch(`${locked.url}/v1/messages`, { method: 'POST', headers, body })).status;
  };
  assert.equal(await status({}), 401);
  assert.equal(await status({ 'x-api-key': 'wrong' }), 401);
  assert.equal(await status({ 'x-api-key': 'right' }), 200);
  assert.equal(await status({ authorization: 'Bearer right' }), 200);
  await locked.close();
});

test('the program says where it listens and ends with 0 on SIGTERM', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const url = String((await lines.next()).value).replace('scripted upstream listens on ', '');
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
