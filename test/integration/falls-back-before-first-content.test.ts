/** Retries and fallback happen before the first content only; the client sees one answer, and at the end of all tries the last real one. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const START = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n';
const PING = 'event: ping\ndata: {"type":"ping"}\n\n';
const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const ERROR = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';

const WITHIN_MS = 5000;

let first: RawUpstream;
let second: RawUpstream;
let proxy: ProxyProcess;
const spec = (): Spec => ({
  upstreams: [
    { name: 'first', dialect: 'anthropic', url: first.url },
    { name: 'second', dialect: 'anthropic', url: second.url },
    { name: 'nowhere', dialect: 'anthropic', url: 'http://127.0.0.1:1' },
  ],
  routes: [
    {
      name: 'dead-end',
      match: { models: ['dead-end'] },
      upstreams: [{ name: 'first' }],
      fallback: [{ name: 'nowhere' }],
    },
    { name: 'dark', match: { models: ['dark'] }, upstreams: [{ name: 'nowhere' }], retry: { attemptsPerUpstream: 2 } },
    { name: 'plain', match: { models: ['plain'] }, upstreams: [{ name: 'first' }] },
    {
      name: 'retry',
      match: { models: ['retry'] },
      upstreams: [{ name: 'first' }],
      retry: { attemptsPerUpstream: 3, within: `${WITHIN_MS}ms` },
    },
    { name: 'chain', upstreams: [{ name: 'first' }], fallback: [{ name: 'second', model: 'claude-ä' }] },
  ],
});

before(async () => {
  [first, second] = [await RawUpstream.start(), await RawUpstream.start()];
  proxy = await ProxyProcess.start(spec());
});
after(async () => {
  await proxy.stop();
  await Promise.all([first.close(), second.close()]);
});
// Every test begins with healthy upstreams: the config moves to other origins and back.
beforeEach(async () => {
  await proxy.apply({ ...spec(), upstreams: spec().upstreams.map((u) => ({ ...u, url: 'http://127.0.0.1:2' })) });
  await proxy.apply(spec());
});

const ask = (model: string): string =>
  messagesRequest(`{"max_tokens":1, "model" : "${model}" ,"stream":true}`, 'sluice-explain: true\r\n');

test('an error event before content falls to the next upstream, which gets its model in place', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('claude-x'));
  const failing = await first.next();
  assert.equal(failing.header('sluice-explain'), undefined);
  await failing.openStream();
  await failing.chunk(START + PING);
  // The error alone decides; nobody waits for the end of that stream.
  await failing.chunk(ERROR);
  const exchange = await second.next();
  assert.equal(exchange.body.toString(), '{"max_tokens":1, "model" : "claude-ä" ,"stream":true}');
  assert.equal(exchange.header('content-length'), String(exchange.body.length));
  await exchange.openStream();
  for (const event of [START, DELTA, STOP]) await exchange.chunk(event);
  await exchange.endChunks();
  const answer = await client.answer();
  assert.equal(answer.body.toString(), START + DELTA + STOP);
  assert.deepEqual(
    ['sluice-route', 'sluice-upstream', 'sluice-attempts'].map((name) => answer.headers[name]),
    ['chain', 'second', '2'],
  );
  const { attempts, end } = await proxy.takeRecord();
  assert.deepEqual(
    attempts.map(({ upstream, outcome }) => `${upstream} ${outcome}`),
    ['first refused', 'second answered'],
  );
  assert.equal(end, 'complete');
  client.destroy();
});

test('a break before content, a status and an empty stream fall to the next upstream too', async () => {
  const failures = {
    broke: async () => {
      const exchange = await first.next();
      await exchange.openStream();
      await exchange.chunk(START);
      exchange.reset();
    },
    refused: async () => (await first.next()).reply(529, '{"overloaded":1}'),
    empty: async () => {
      const exchange = await first.next();
      await exchange.openStream();
      await exchange.endChunks();
    },
    closed: async () => (await first.next()).cut(),
  };
  for (const [name, fail] of Object.entries(failures)) {
    const client = await RawClient.send(proxy.listenPort, ask('claude-x'));
    await fail();
    await (await second.next()).reply(200, `{"after":"${name}"}`);
    assert.equal((await client.answer()).body.toString(), `{"after":"${name}"}`);
    await proxy.takeRecord();
    client.destroy();
  }
});

test('nothing is tried again once content was passed on', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('claude-x'));
  const exchange = await first.next();
  await exchange.openStream();
  await exchange.chunk(START + DELTA);
  await client.until((text) => text.includes('text_delta'));
  exchange.reset();
  assert.equal((await client.rest()).complete, false);
  assert.equal((await proxy.takeRecord()).end, 'upstream_cut');
  assert.equal(second.waiting, 0);
});

test('when everything failed the last real answer passes as it came, with word that our tries are spent', async () => {
  const body = '{"type":"error", "error":{"type":"overloaded_error"}}';
  const client = await RawClient.send(proxy.listenPort, ask('dead-end'));
  await (await first.next()).reply(529, body, 'Retry-After: 9\r\nrequest-id: req_9\r\nx-should-retry: true\r\n');
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.body.toString()], [529, body]);
  assert.deepEqual(
    [answer.headers['request-id'], answer.headers['retry-after'], answer.headers['x-should-retry']],
    ['req_9', '9', 'false'],
  );
  assert.equal((await proxy.takeRecord()).attempts.length, 2);
  client.destroy();
});

test('a refused event stream that stays the last word passes verbatim', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('dead-end'));
  const exchange = await first.next();
  await exchange.openStream();
  await exchange.chunk(START);
  await exchange.chunk(ERROR);
  await exchange.endChunks();
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.body.toString(), answer.complete], [200, START + ERROR, true]);
  assert.equal((await proxy.takeRecord()).end, 'upstream_error');
  client.destroy();
});

test('without any answer the error is ours', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('dark'));
  const answer = await client.answer();
  assert.deepEqual(
    [answer.status, answer.headers['sluice-error'], answer.headers['x-should-retry']],
    [502, 'connect_failed', 'false'],
  );
  const { detail, end } = await proxy.takeRecord();
  assert.deepEqual([end, detail], ['no_answer', 'connect_failed']);
  client.destroy();
});

test('retries honour retry-after, and give up when the upstream forbids them', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('retry'));
  await (await first.next()).reply(429, '{}', 'retry-after-ms: 30\r\n');
  await (await first.next()).reply(503, '{}', 'retry-after-ms: 1\r\n');
  await (await first.next()).reply(200, '{"third":true}');
  assert.equal((await client.answer()).body.toString(), '{"third":true}');
  client.write(ask('retry'));
  await (await first.next()).reply(429, '{"no":1}', 'x-should-retry: false\r\n');
  await client.until((text) => text.includes('{"no":1}'));
  client.write(ask('retry'));
  const askedAt = performance.now();
  await (await first.next()).reply(429, '{"late":1}', 'retry-after: 60\r\n');
  await client.until((text) => text.includes('{"late":1}'));
  assert.ok(performance.now() - askedAt < WITHIN_MS, 'a wait that cannot succeed is not begun');
  for (let count = 0; count < 3; count += 1) await proxy.takeRecord();
  client.destroy();
});

test('a route without retry and fallback holds nothing and adds nothing', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('plain'));
  const exchange = await first.next();
  await exchange.openStream();
  await exchange.chunk(START);
  await client.until((text) => text.includes('message_start'));
  await exchange.chunk(ERROR);
  await exchange.endChunks();
  assert.equal((await client.answer()).body.toString(), START + ERROR);
  await proxy.takeRecord();
  client.write(ask('plain'));
  await (await first.next()).reply(529, '{}');
  await client.until((text) => text.includes(' 529 '));
  assert.doesNotMatch(client.text, /x-should-retry/);
  await proxy.takeRecord();
  client.destroy();
});

test('a client that leaves while we wait for the next try ends the exchange', async () => {
  const client = await RawClient.send(proxy.listenPort, ask('retry'));
  await (await first.next()).reply(429, '{}', 'retry-after: 4\r\n');
  client.destroy();
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
});
