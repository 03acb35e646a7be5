/** A client that dribbles its head or its body is ended in bounded time; an upload that makes progress never is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const HEAD_MS = 600;
const BODY_MS = 800;
const STEP_MS = 50;
const KIB = 1024;

let upstream: RawUpstream;
let proxy: ProxyProcess;
/** Takes nothing before it is told to. */
const deaf = createServer({ pauseOnConnect: true });

before(async () => {
  upstream = await RawUpstream.start();
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  proxy = await ProxyProcess.start({
    listen: { timeouts: { head: `${HEAD_MS}ms`, body: `${BODY_MS}ms` } },
    upstreams: [
      { name: 'up', dialect: 'anthropic', url: upstream.url },
      { name: 'deaf', dialect: 'raw', url: `http://127.0.0.1:${(deaf.address() as AddressInfo).port}` },
    ],
    routes: [
      { name: 'deaf', match: { paths: ['/deaf'] }, upstreams: [{ name: 'deaf' }] },
      { name: 'all', upstreams: [{ name: 'up' }] },
    ],
  });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
  deaf.close();
});

/** Writes a piece again and again until the other side has closed, or `most` pieces went out. */
async function dribble(client: RawClient, piece: string, most = Number.POSITIVE_INFINITY): Promise<void> {
  let open = true;
  void client.closed.then(() => {
    open = false;
  });
  for (let count = 0; open && count < most; count += 1) {
    client.write(piece);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

const head = (length: number, path = '/v1/messages'): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

test('a head that dribbles is ended with 408', async () => {
  const client = await RawClient.send(proxy.listenPort, 'POST /v1/messages HTTP/1.1\r\nHost: x\r\n');
  await dribble(client, 'x-a: b\r\n');
  assert.match(client.text, /^HTTP\/1\.1 408 /);
});

test('a body that dribbles is ended with 408, be it peeked at or streamed on', async () => {
  const peeked = await RawClient.send(proxy.listenPort, `${head(KIB * KIB)}{"model":"m","x":"`);
  await dribble(peeked, 'x');
  assert.match(peeked.text, /^HTTP\/1\.1 408 /);
  const first = await proxy.takeRecord();
  assert.deepEqual([first.end, first.side], ['idle', 'client']);
  // Here the upstream has its head already, and is let go of.
  const streamed = await RawClient.send(
    proxy.listenPort,
    head(KIB * KIB, '/raw').replace('application/json', 'text/x'),
  );
  await dribble(streamed, 'x');
  assert.match(streamed.text, /^HTTP\/1\.1 408 /);
  const second = await proxy.takeRecord();
  assert.deepEqual([second.end, second.side], ['idle', 'client']);
});

test('a slow upload that makes progress passes, for many times the limit', async () => {
  const piece = 'x'.repeat(8 * KIB);
  const pieces = Math.ceil((3 * BODY_MS) / STEP_MS);
  const client = await RawClient.send(proxy.listenPort, head(piece.length * pieces, '/raw').replace('json', 'octets'));
  await dribble(client, piece, pieces);
  const exchange = await upstream.next();
  assert.equal(exchange.body.length, piece.length * pieces);
  await exchange.reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.destroy();
  await proxy.takeRecord();
});

test('an upstream that takes nothing is not the client’s fault', async () => {
  const bytes = 48 * KIB * KIB;
  const client = await RawClient.send(proxy.listenPort, head(bytes, '/deaf').replace('json', 'octets'));
  const [socket] = (await once(deaf, 'connection')) as [Socket];
  client.write(Buffer.alloc(bytes, 'x'));
  await new Promise((resolve) => setTimeout(resolve, 3 * BODY_MS));
  let taken = 0;
  socket.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > bytes) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
  });
  socket.resume();
  assert.equal((await client.answer()).status, 200);
  client.destroy();
  await proxy.takeRecord();
});

test('a client that leaves in the middle of its body is gone at once, and nobody reads on for it', async () => {
  const client = await RawClient.send(proxy.listenPort, `${head(KIB * KIB, '/raw').replace('json', 'octets')}half`);
  await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  const leftAt = performance.now();
  client.destroy();
  const { end, detail } = await proxy.takeRecord();
  assert.deepEqual([end, detail], ['client_gone', undefined]);
  // What is unread of a refused body is read for a second; here that would be a second in which the upstream is kept.
  assert.ok(performance.now() - leftAt < 500);
});

test('too many headers, and too long ones, are 431', async () => {
  const many = await RawClient.send(proxy.listenPort, messagesRequest('{}', 'a: 1\r\n'.repeat(201)));
  assert.equal((await many.answer()).status, 431);
  many.destroy();
  const long = await RawClient.send(proxy.listenPort, messagesRequest('{}', `a: ${'x'.repeat(40 * KIB)}\r\n`));
  assert.match(await long.until((text) => text.includes('}')), /^HTTP\/1\.1 431 /);
  long.destroy();
  const enough = await RawClient.send(proxy.listenPort, messagesRequest('{}', 'a: 1\r\n'.repeat(190)));
  const exchange = await upstream.next();
  assert.equal(exchange.headers.filter(([name]) => name === 'a').length, 190);
  await exchange.reply(200, '{}');
  enough.destroy();
});
