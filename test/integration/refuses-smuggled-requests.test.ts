/** A request that two parsers could read in two ways is refused with 400, and no byte of it reaches an upstream. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  const spec: Spec = {
    upstreams: [{ name: 'up', dialect: 'anthropic', url: upstream.url }],
    routes: [
      { name: 'small', match: { paths: ['/v1/messages'], models: ['claude-*'] }, upstreams: [{ name: 'up' }] },
      { name: 'rest', match: { paths: ['/rest*'] }, upstreams: [{ name: 'up' }] },
    ],
  };
  proxy = await ProxyProcess.start(spec);
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

async function statusOf(bytes: string): Promise<number> {
  const client = await RawClient.send(proxy.listenPort, bytes);
  const { status } = await client.answer();
  client.destroy();
  return status;
}

const LINE = 'POST /v1/messages HTTP/1.1\r\n';
const CASES: Readonly<Record<string, string>> = {
  'two Host': `${LINE}Host: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}`,
  'two Content-Length': `${LINE}Host: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
  'two x-api-key': messagesRequest('{}', 'x-api-key: a\r\nX-Api-Key: b\r\n'),
  'two Authorization': messagesRequest('{}', 'Authorization: Bearer a\r\nauthorization: Bearer b\r\n'),
  'two Content-Type': messagesRequest('{}', 'content-type: text/plain\r\n'),
  'length and chunks': `${LINE}Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `${LINE}Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'a coding before chunked': `${LINE}Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'chunks in HTTP/1.0': 'POST /v1/messages HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a folded header': `${LINE}Host: a\r\nX-A: one\r\n two\r\nContent-Length: 2\r\n\r\n{}`,
  'bare LF': `${LINE}Host: a\nContent-Length: 2\r\n\r\n{}`,
  'a space before the colon': `${LINE}Host: a\r\nContent-Length : 2\r\n\r\n{}`,
  'a NUL': `${LINE}Host: a\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}`,
  'a broken chunk size': `${LINE}Host: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n`,
  'an absolute target': 'GET http://evil/v1/messages HTTP/1.1\r\nHost: a\r\n\r\n',
  'no path': 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'a climbing path': post('/rest/%2e%2e/v1/messages', '{}'),
  'a fragment': post('/rest#x', '{}'),
  'two models': messagesRequest('{"model":"claude-a","model":"gpt"}'),
  'two models, one escaped': messagesRequest('{"model":"claude-a","mod\\u0065l":"gpt"}'),
  'two stream': messagesRequest('{"stream":true,"model":"claude-a","stream":false}'),
};

for (const [name, bytes] of Object.entries(CASES)) {
  test(`${name} is 400`, async () => {
    assert.equal(await statusOf(bytes), 400);
    assert.equal(upstream.waiting, 0);
  });
}

test('a second model behind the first mebibyte never completes at the upstream', async () => {
  const body = `{"model":"claude-a","stream":true,"pad":"${'x'.repeat(3 * 1024 ** 2)}","model":"gpt"}`;
  const client = await RawClient.send(proxy.listenPort, messagesRequest(body));
  assert.equal((await client.answer()).status, 400);
  assert.equal(upstream.waiting, 0);
  client.destroy();
});

test('too much is too large: headers 431, a body beyond the bound 413, a model beyond the peek 413', async () => {
  assert.equal(await statusOf(messagesRequest('{}', `X-Big: ${'x'.repeat(40_000)}\r\n`)), 431);
  const declared = messagesRequest('', '').replace('Content-Length: 0', 'Content-Length: 99999999999');
  assert.equal(await statusOf(declared), 413);
  assert.equal(await statusOf(messagesRequest(`{"pad":"${'x'.repeat(1100 * 1024)}","model":"claude-a"}`)), 413);
});

test('a model beyond the peek is no matter where no rule asks for it', async () => {
  const body = `{"pad":"${'x'.repeat(1100 * 1024)}","model":"claude-a"}`;
  const client = await RawClient.send(proxy.listenPort, post('/rest', body));
  const exchange = await upstream.next();
  assert.equal(exchange.body.length, body.length);
  await exchange.reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.destroy();
});

test('Expect: 100-continue is answered by us and not passed on', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    'POST /rest HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
  );
  await client.until((text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  client.write('{}');
  const exchange = await upstream.next();
  assert.equal(exchange.header('expect'), undefined);
  await exchange.reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.destroy();
});

test('a chunk that breaks later in the body ends the exchange as refused', async () => {
  const head = `POST /rest HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const client = await RawClient.send(proxy.listenPort, `${head}2\r\nhi\r\n`);
  client.write('zz\r\n');
  assert.equal((await client.answer()).status, 400);
  const record = await proxy.record(({ end, detail }) => end === 'rejected' && detail === 'bad_request');
  assert.equal(record.status, 400);
  client.destroy();
});

test('garbage behind a request leaves the answer that is under way whole', async () => {
  const client = await RawClient.send(proxy.listenPort, `${post('/rest', '{}')}GARBAGE\r\n\r\n`);
  const exchange = await upstream.next();
  await exchange.reply(200, '{"whole":1}');
  assert.equal((await client.answer()).body.toString(), '{"whole":1}');
  assert.equal(await client.closed, 'end');
});

test('an answer that comes before the upload has ended reaches a client that sends first and reads then', async () => {
  const length = 16 * 1024 ** 2;
  const head = `POST /rest HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`;
  const early = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.pause();
      socket.write('HTTP/1.1 413 Too Big\r\ncontent-length: 5\r\n\r\nearly');
    });
  });
  early.listen(0, '127.0.0.1');
  await once(early, 'listening');
  const { port } = early.address() as AddressInfo;
  await proxy.apply({
    upstreams: [{ name: 'early', dialect: 'raw', url: `http://127.0.0.1:${port}` }],
    routes: [{ name: 'rest', upstreams: [{ name: 'early' }] }],
  });
  const client = await RawClient.connect(proxy.listenPort);
  client.socket.pause();
  client.write(head);
  client.write(Buffer.alloc(length));
  await proxy.record(({ upstream }) => upstream === 'early');
  client.socket.resume();
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.body.toString()], [413, 'early']);
  client.destroy();
  early.close();
});
