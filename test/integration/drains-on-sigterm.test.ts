/** SIGTERM: readiness fails, what is in flight (and what still comes while it is) finishes, then the process ends with 0. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

async function scene(env: Record<string, string>, run: (proxy: ProxyProcess, upstream: RawUpstream) => Promise<void>) {
  const upstream = await RawUpstream.start();
  const proxy = await ProxyProcess.start(simpleSpec(upstream.url), { env });
  try {
    await run(proxy, upstream);
  } finally {
    await proxy.stop();
    await upstream.close();
  }
}

async function openStream(proxy: ProxyProcess, upstream: RawUpstream) {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(DELTA);
  await client.until((text) => text.includes('text_delta'));
  return { client, exchange };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} without anything in flight ends with 0, idle connections notwithstanding`, () =>
    scene({}, async (proxy) => {
      const idle = await RawClient.send(proxy.listenPort, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await idle.answer();
      proxy.signal(signal);
      assert.equal(await proxy.exited, 0);
      await idle.closed;
    }));
}

test('streams finish whole, new requests are served meanwhile, and readiness fails', () =>
  scene({}, async (proxy, upstream) => {
    const { client, exchange } = await openStream(proxy, upstream);
    proxy.signal('SIGTERM');
    await proxy.logged((line) => line['message'] === 'Draining');
    assert.equal((await proxy.admin('/readyz')).status, 503);
    const late = await RawClient.send(proxy.listenPort, messagesRequest());
    await (await upstream.next()).reply(200, '{"late":1}');
    assert.equal((await late.answer()).body.toString(), '{"late":1}');
    await exchange.chunk(STOP);
    await exchange.endChunks();
    assert.equal((await client.answer()).body.toString(), DELTA + STOP);
    assert.equal(await proxy.exited, 0);
    assert.equal((await proxy.record((record) => record.end !== 'complete').catch(() => undefined))?.end, undefined);
  }));

test('at the drain timeout what is left ends as shutdown, cut and never completed', () =>
  scene({ SLUICE_DRAIN_TIMEOUT_MS: '200' }, async (proxy, upstream) => {
    const { client } = await openStream(proxy, upstream);
    const waiting = await RawClient.send(proxy.listenPort, messagesRequest());
    await upstream.next();
    proxy.signal('SIGTERM');
    assert.equal(await proxy.exited, 0);
    const cut = await client.rest();
    assert.deepEqual([cut.complete, cut.body.toString()], [false, DELTA]);
    const refused = await waiting.rest();
    assert.deepEqual([refused.status, refused.headers['sluice-error']], [503, 'shutting_down']);
    assert.equal((await proxy.takeRecord()).end, 'shutdown');
    assert.equal((await proxy.takeRecord()).end, 'shutdown');
  }));

test('a second SIGTERM ends it at once', () =>
  scene({}, async (proxy, upstream) => {
    await openStream(proxy, upstream);
    proxy.signal('SIGTERM');
    await proxy.logged((line) => line['message'] === 'Draining');
    proxy.signal('SIGTERM');
    assert.equal(await proxy.exited, 143);
  }));

test('a bad environment ends with 64 and names every problem', async () => {
  const start = ProxyProcess.start(simpleSpec('http://127.0.0.1:1'), {
    env: { SLUICE_LISTEN_PORT: 'x', SLUICE_DRAIN_TIMEOUT_MS: '-1' },
  });
  await assert.rejects(start, /\(64\).*SLUICE_LISTEN_PORT.*SLUICE_DRAIN_TIMEOUT_MS/);
});
