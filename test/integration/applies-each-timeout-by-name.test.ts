/** Four limits with four names, each measured where it says; a healthy stream of any length trips none of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const LIMIT_MS = 300;
/** Long enough that a busy machine's pauses are no silence. */
const IDLE_MS = 1500;
const PING = 'event: ping\ndata: {"type":"ping"}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

let upstream: RawUpstream;
let proxy: ProxyProcess;
/** Accepts and says nothing: TLS to it is a connect that never ends. */
const silent = createServer((socket) => socket.on('error', () => {}).resume());

before(async () => {
  upstream = await RawUpstream.start();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const names = ['connect', 'firstByte', 'idle', 'total'] as const;
  const spec: Spec = {
    upstreams: names.map((name) => ({
      name: name.toLowerCase(),
      dialect: 'anthropic',
      url: name === 'connect' ? `https://127.0.0.1:${(silent.address() as AddressInfo).port}` : upstream.url,
      timeouts: {
        connect: '0s',
        firstByte: '0s',
        idle: '0s',
        total: '0s',
        [name]: `${name === 'idle' ? IDLE_MS : LIMIT_MS}ms`,
      },
    })),
    routes: names.map((name) => ({
      name: name.toLowerCase(),
      match: { models: [name] },
      upstreams: [{ name: name.toLowerCase() }],
    })),
  };
  proxy = await ProxyProcess.start(spec);
});
after(async () => {
  await proxy.stop();
  await upstream.close();
  silent.close();
});

const ask = (model: string): Promise<RawClient> =>
  RawClient.send(proxy.listenPort, messagesRequest(`{"model":"${model}"}`));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('connect and firstByte end in 504 that names them', async () => {
  for (const name of ['connect', 'firstByte']) {
    const startedAt = performance.now();
    const client = await ask(name);
    const exchange = name === 'firstByte' ? await upstream.next() : undefined;
    const answer = await client.answer();
    assert.deepEqual([answer.status, answer.headers['sluice-error']], [504, 'upstream_timeout']);
    assert.match(answer.body.toString(), new RegExp(`timeouts\\.${name} of ${LIMIT_MS} ms`));
    assert.ok(performance.now() - startedAt >= LIMIT_MS);
    await exchange?.closed;
    const { end, attempts } = await proxy.takeRecord();
    assert.deepEqual([end, attempts[0]?.outcome], ['no_answer', 'timeout']);
    client.destroy();
  }
});

test('idle trips on silence only, however long the stream, and names who stalled', async () => {
  const client = await ask('idle');
  const exchange = await upstream.next();
  await exchange.openStream();
  for (let count = 0; count < 6; count += 1) {
    await exchange.chunk(PING);
    await pause(IDLE_MS / 3);
  }
  assert.ok(!client.socket.destroyed);
  await exchange.closed;
  const { end, side } = await proxy.takeRecord();
  assert.deepEqual([end, side], ['idle', 'upstream']);
  assert.equal((await client.rest()).complete, false);
});

test('a client that takes nothing falls under idle as well', async () => {
  const client = await ask('idle');
  const exchange = await upstream.next();
  await exchange.openStream();
  await client.until((text) => text.includes('\r\n\r\n'));
  client.socket.pause();
  void exchange.write(Buffer.concat([Buffer.from('4000000\r\n'), Buffer.alloc(64 * 1024 ** 2, 'x')]));
  await exchange.closed;
  const { end, side } = await proxy.takeRecord();
  assert.deepEqual([end, side], ['idle', 'client']);
  client.destroy();
});

test('total ends a stream that is healthy otherwise, and an answer that never comes', async () => {
  const client = await ask('total');
  const exchange = await upstream.next();
  await exchange.openStream();
  let open = true;
  void exchange.closed.then(() => (open = false));
  while (open) {
    await exchange.chunk(PING);
    await pause(20);
  }
  assert.equal((await proxy.takeRecord()).end, 'timed_out');
  assert.equal((await client.rest()).complete, false);
  const second = await ask('total');
  await upstream.next();
  const answer = await second.answer();
  assert.deepEqual([answer.status, /timeouts\.total/.test(answer.body.toString())], [504, true]);
  await proxy.takeRecord();
  second.destroy();
});

test('a limit that is off never trips', async () => {
  const client = await ask('firstByte');
  const exchange = await upstream.next();
  await exchange.openStream();
  await pause(LIMIT_MS * 2);
  await exchange.chunk(STOP);
  await exchange.endChunks();
  assert.equal((await client.answer()).body.toString(), STOP);
  assert.equal((await proxy.takeRecord()).end, 'complete');
  client.destroy();
});

test('a client that stops in the middle of its body is told so', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n{"model":"idle","stream":true,',
  );
  const { end, side, status } = await proxy.takeRecord();
  assert.deepEqual([end, side, status], ['idle', 'client', 408]);
  client.destroy();
});
