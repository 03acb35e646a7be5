/** When the client leaves, its upstream connection is closed at once, wherever the exchange stands; nobody pays for the rest. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const BOUND_MS = 50;
/** The machine may be busy for a moment; the bound has to hold undisturbed once. */
const TRIES = 5;

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start(simpleSpec(upstream.url));
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

async function closingTimes(
  until: (client: RawClient, exchange: UpstreamExchange) => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < TRIES; count += 1) {
    const client = await RawClient.send(proxy.listenPort, messagesRequest());
    const exchange = await upstream.next();
    await until(client, exchange);
    const leftAt = performance.now();
    client.destroy();
    times.push((await exchange.closed) - leftAt);
    assert.equal((await proxy.takeRecord()).end, 'client_gone');
  }
  return times;
}

test('before the answer has a head', async () => {
  const times = await closingTimes(async () => {});
  assert.ok(Math.min(...times) < BOUND_MS, String(times));
});

test('in the middle of a stream', async () => {
  const times = await closingTimes(async (client, exchange) => {
    await exchange.openStream();
    await exchange.chunk('event: ping\ndata: {"type":"ping"}\n\n');
    await client.until((text) => text.includes('"ping"'));
  });
  assert.ok(Math.min(...times) < BOUND_MS, String(times));
});

test('while it does not read what comes', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream();
  await client.until((text) => text.includes('\r\n\r\n'));
  client.socket.pause();
  // More than every buffer on the way holds, so that the upstream is told to wait.
  void exchange.write(Buffer.concat([Buffer.from('2000000\r\n'), Buffer.alloc(32 * 1024 ** 2, 'x')]));
  const left = (): Promise<number> =>
    new Promise((resolve) => setTimeout(() => resolve(exchange.socket.bytesWritten), 50));
  for (let before = -1, now = 0; now !== before; ) [before, now] = [now, await left()];
  assert.ok(exchange.socket.writableLength > 0);
  client.destroy();
  await exchange.closed;
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
});

test('while its upload goes on', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: text/plain\r\n\r\nhalf',
  );
  // The body is streamed, so the upstream sees the request's head before its end.
  const arrived = upstream.connections;
  while (upstream.connections === arrived) await new Promise((resolve) => setImmediate(resolve));
  client.destroy();
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
});

test('while a short body of an API goes on: no upstream has heard of it yet', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\nContent-Type: application/json\r\n\r\n{"model":"m","stream":true,',
  );
  const arrived = upstream.connections;
  // Far longer than it takes to be routed and sent on, as the test above does it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(upstream.connections, arrived);
  client.destroy();
  const { attempts, end, route } = await proxy.takeRecord();
  assert.deepEqual([attempts, end, typeof route], [[], 'client_gone', 'string']);
});

test('while we are still connecting: nobody waits for the connect, and no request byte leaves', async () => {
  // An egress proxy that never answers CONNECT: a connect that stands open for as long as we want.
  const url = 'https://127.0.0.1:1';
  await proxy.apply(simpleSpec(url, { proxy: { url: upstream.url }, timeouts: { connect: '60s' } }));
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const connecting = await upstream.next();
  assert.match(connecting.head, /^CONNECT 127\.0\.0\.1:1 /);
  client.destroy();
  const { attempts, end } = await proxy.takeRecord();
  assert.deepEqual([end, attempts[0]?.outcome], ['client_gone', 'cancelled']);
  assert.equal(upstream.waiting, 0);
});
