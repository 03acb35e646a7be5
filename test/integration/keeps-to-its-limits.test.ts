/** No upstream, and no proxy, gets more exchanges at the same time than the resource allows; whoever is turned away is told when to come again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const MOST = 4;
const CONNECT_MS = 300;

let upstream: RawUpstream;
let spill: RawUpstream;
let proxy: ProxyProcess;

const spec = (): Spec => ({
  listen: { explain: 'always', limits: { inFlight: MOST } },
  upstreams: [
    { name: 'narrow', dialect: 'anthropic', url: upstream.url, limits: { inFlight: 1 } },
    { name: 'spill', dialect: 'anthropic', url: spill.url },
    {
      name: 'single',
      dialect: 'anthropic',
      url: upstream.url,
      limits: { connections: 1 },
      timeouts: { connect: `${CONNECT_MS}ms` },
    },
  ],
  routes: [
    { name: 'alone', match: { models: ['alone'] }, upstreams: [{ name: 'narrow' }] },
    {
      name: 'spilling',
      match: { models: ['spilling'] },
      upstreams: [{ name: 'narrow' }],
      fallback: [{ name: 'spill' }],
    },
    { name: 'behind', match: { models: ['behind'] }, upstreams: [{ name: 'spill' }], fallback: [{ name: 'narrow' }] },
    { name: 'single', match: { models: ['single'] }, upstreams: [{ name: 'single' }] },
    { name: 'rest', upstreams: [{ name: 'spill' }] },
  ],
});

before(async () => {
  [upstream, spill] = [await RawUpstream.start(), await RawUpstream.start()];
  proxy = await ProxyProcess.start(spec());
});
after(async () => {
  await proxy.stop();
  await Promise.all([upstream.close(), spill.close()]);
});

const ask = (model: string): Promise<RawClient> =>
  RawClient.send(proxy.listenPort, messagesRequest(`{"model":"${model}"}`));

/** Answers, and waits until the exchange is over. */
async function finish(client: RawClient, exchange: UpstreamExchange): Promise<void> {
  await exchange.reply(200, '{}');
  await client.answer();
  client.destroy();
  await proxy.takeRecord();
}

test('an upstream at its limit is skipped: without another one the answer is 503 that names it and when to come again', async () => {
  const first = await ask('alone');
  const exchange = await upstream.next();
  const second = await ask('alone');
  const answer = await second.answer();
  assert.deepEqual(
    [answer.status, answer.headers['sluice-error'], answer.headers['retry-after'], answer.headers['x-should-retry']],
    [503, 'at_limit', '1', undefined],
  );
  const json = JSON.parse(answer.body.toString()) as { type: string; error: { message: string } };
  assert.equal(json.type, 'error');
  assert.match(json.error.message, /"narrow" has 1 exchanges in flight, its limit limits\.inFlight/);
  const { end, detail, attempts } = await proxy.takeRecord();
  assert.deepEqual([end, detail, attempts.length], ['rejected', 'at_limit', 0]);
  assert.match((await proxy.admin('/metrics')).text, /^sluice_limited_total\{limit="upstream",upstream="narrow"\} 1$/m);
  second.destroy();
  await finish(first, exchange);
  // The room is free again.
  const third = await ask('alone');
  await finish(third, await upstream.next());
});

test('a stream holds its place to its end, however it ends', async () => {
  const first = await ask('alone');
  const exchange = await upstream.next();
  await exchange.openStream();
  await first.until((text) => text.includes('200 OK'));
  const second = await ask('alone');
  assert.equal((await second.answer()).status, 503);
  await proxy.takeRecord();
  second.destroy();
  first.destroy();
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
  const third = await ask('alone');
  await finish(third, await upstream.next());
});

test('a full upstream spills over to the next of the route, and one that fails gives its place back', async () => {
  const first = await ask('alone');
  const held = await upstream.next();
  const second = await ask('spilling');
  const spilled = await spill.next();
  await spilled.reply(200, '{}');
  assert.equal((await second.answer()).headers['sluice-upstream'], 'spill');
  second.destroy();
  await proxy.takeRecord();
  // A fallback that is full by the time it is needed is passed over: the last real answer is the client's.
  const third = await ask('behind');
  await (await spill.next()).reply(529, '{"busy":1}');
  const answer = await third.answer();
  assert.deepEqual([answer.status, answer.body.toString()], [529, '{"busy":1}']);
  third.destroy();
  await proxy.takeRecord();
  await finish(first, held);
  // A failed attempt at the narrow one keeps no place while the fallback streams.
  const fourth = await ask('spilling');
  await (await upstream.next()).reply(529, '{}');
  const streaming = await spill.next();
  const fifth = await ask('alone');
  await finish(fifth, await upstream.next());
  await finish(fourth, streaming);
});

test('a change of the config forgets nobody who is in flight', async () => {
  const first = await ask('alone');
  const exchange = await upstream.next();
  await proxy.apply({ ...spec(), metrics: { port: 9020 } });
  const second = await ask('alone');
  assert.equal((await second.answer()).status, 503);
  second.destroy();
  await proxy.takeRecord();
  await finish(first, exchange);
});

test('limits.connections bounds the connections, and who waits for one waits no longer than timeouts.connect', async () => {
  const first = await ask('single');
  const exchange = await upstream.next();
  const connections = upstream.connections;
  const second = await ask('single');
  const answer = await second.answer();
  assert.deepEqual([answer.status, /timeouts\.connect/.test(answer.body.toString())], [504, true]);
  assert.equal(upstream.connections, connections);
  second.destroy();
  await proxy.takeRecord();
  const third = await ask('single');
  await finish(first, exchange);
  await finish(third, await upstream.next());
});

test('beyond listen.limits.inFlight the answer is 503 at once, before the body, and own endpoints stay reachable', async () => {
  const clients: RawClient[] = [];
  const exchanges: UpstreamExchange[] = [];
  for (let count = 0; count < MOST; count += 1) {
    clients.push(await ask('any'));
    exchanges.push(await spill.next());
  }
  // Its body never comes: nobody waits for it.
  const late = await RawClient.send(
    proxy.listenPort,
    'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"mod',
  );
  await late.until((text) => text.includes('limits.inFlight') && text.includes('}'));
  assert.match(late.text, /^HTTP\/1\.1 503 .*sluice-error: at_limit.*retry-after: 1\r\n/is);
  assert.match(late.text, /serves 4 at the same time/);
  late.destroy();
  const health = await RawClient.send(proxy.listenPort, 'GET /gateway/health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.equal((await health.answer()).status, 200);
  health.destroy();
  assert.match((await proxy.admin('/metrics')).text, /^sluice_limited_total\{limit="listen",upstream="none"\} 1$/m);
  for (const [index, client] of clients.entries()) {
    await exchanges[index]?.reply(200, '{}');
    await client.answer();
    client.destroy();
  }
  for (let count = 0; count <= MOST; count += 1) await proxy.takeRecord();
  const next = await RawClient.send(proxy.listenPort, post('/x', '{}'));
  await finish(next, await spill.next());
});
