/** Promise 1: on a native path the client gets exactly the bytes that the upstream sent, each chunk as it arrives. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

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

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const STREAM = Buffer.from(
  [
    'event: message_start\r\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}\r\n\r\n',
    ': a comment\n\nevent: ping\ndata: {"type": "ping"}\n\n',
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße 🌊 川"}}\n\n',
    'event: something_new\ndata: {"unknown":  1.0, "e":"\\u0041"}\n\n',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n',
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  ].join(''),
);

test('every byte arrives once and in order, one by one, comments and split characters included', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream('X-MiXeD: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\nrequest-id: req_1\r\n');
  for (const byte of STREAM) await exchange.chunk(Buffer.of(byte));
  await exchange.endChunks();
  const answer = await client.answer();
  assert.equal(sha256(answer.body), sha256(STREAM));
  assert.deepEqual(
    answer.rawHeaders.filter(([name]) => /^(x-mixed|set-cookie|request-id)$/i.test(name)),
    [
      ['X-MiXeD', '1'],
      ['Set-Cookie', 'a'],
      ['set-cookie', 'b'],
      ['request-id', 'req_1'],
    ],
  );
  assert.equal(answer.headers['x-accel-buffering'], 'no');
  assert.equal((await proxy.takeRecord()).end, 'complete');
  client.destroy();
});

test('a chunk leaves before the next one comes', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream();
  await client.until((text) => text.includes('\r\n\r\n'));
  for (const byte of STREAM.subarray(0, 50)) {
    const before = client.received.length;
    await exchange.chunk(Buffer.of(byte));
    await client.until((text) => text.length > before);
  }
  await exchange.chunk(STREAM.subarray(50));
  await exchange.endChunks();
  assert.equal(sha256((await client.answer()).body), sha256(STREAM));
  await proxy.takeRecord();
  client.destroy();
});

test('the request arrives as it was sent: bytes, header case, order and duplicates', async () => {
  const body = '{ "model" : "claude-x", "a":1.0,  "b":"\\u0041", "messages":[{"content":"ü🌊"}] }';
  const headers =
    'X-CuStom: 1\r\nanthropic-beta: a\r\nAnthropic-Beta: b\r\nConnection: keep-alive, X-Hop\r\nX-Hop: h\r\nTE: trailers\r\nAccept-Encoding: gzip\r\n';
  const client = await RawClient.send(proxy.listenPort, Buffer.from(messagesRequest(body, headers)));
  const exchange = await upstream.next();
  assert.equal(exchange.body.toString(), body);
  assert.equal(exchange.header('content-length'), String(Buffer.byteLength(body)));
  assert.equal(exchange.header('host'), `127.0.0.1:${upstream.port}`);
  assert.equal(exchange.header('accept-encoding'), 'identity');
  const names = exchange.headers.map(([name]) => name);
  assert.deepEqual(
    names.filter((name) => /custom|beta|hop|^te$/i.test(name)),
    ['X-CuStom', 'anthropic-beta', 'Anthropic-Beta'],
  );
  await exchange.reply(200, '{}');
  assert.equal((await client.answer()).body.toString(), '{}');
  await proxy.takeRecord();
  client.destroy();
});

test('lengths, trailers, interim answers and errors pass as they came', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
  await exchange.write('HTTP/1.1 418 Odd Reason\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n');
  await exchange.chunk('{"type":"error","error":{"type":"odd"}}');
  await exchange.endChunks('X-T: t\r\n');
  const answer = await client.answer();
  assert.match(client.text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/x>\r\n\r\n/);
  assert.match(answer.head, /^HTTP\/1\.1 418 Odd Reason\r\n/);
  assert.equal(answer.trailers, 'X-T: t\r\n');
  assert.equal(answer.body.toString(), '{"type":"error","error":{"type":"odd"}}');
  client.write('HEAD /v1/messages HTTP/1.1\r\nHost: x\r\n\r\n');
  const second = await upstream.next();
  await second.write('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n');
  await client.until((text) => text.includes('content-length: 7'));
  await proxy.takeRecord();
  assert.equal((await proxy.takeRecord()).end, 'complete');
  client.destroy();
});

test('a body that is longer than we look streams on, in both directions and with backpressure', async () => {
  const text = `{"model":"claude-x","pad":"${'x'.repeat(3 * 1024 ** 2)}"}`;
  const client = await RawClient.send(proxy.listenPort, messagesRequest(text));
  const exchange = await upstream.next();
  assert.equal(sha256(exchange.body), sha256(Buffer.from(text)));
  const big = 'y'.repeat(5 * 1024 ** 2);
  await exchange.reply(200, big, 'content-type: application/octet-stream\r\n');
  assert.equal(sha256((await client.answer()).body), sha256(Buffer.from(big)));
  await proxy.takeRecord();
  client.destroy();
});

test('answers to pipelined requests keep their order and their connection', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    messagesRequest('{"n":1}') + messagesRequest('{"n":2}') + post('/v1/messages', '{"n":3}'),
  );
  const exchanges = [await upstream.next(), await upstream.next(), await upstream.next()];
  exchanges.sort((a, b) => a.body.compare(b.body));
  for (const [index, exchange] of [...exchanges.entries()].reverse()) {
    await exchange.openStream();
    await exchange.chunk(
      `data: ${index} {"type":"message_stop"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`,
    );
    await exchange.endChunks();
  }
  await client.until((text) => text.split('\r\n0\r\n\r\n').length === 4);
  assert.deepEqual(
    [...client.text.matchAll(/data: ([0-2]) /g)].map(([, n]) => n),
    ['0', '1', '2'],
  );
  for (let n = 0; n < 3; n += 1) await proxy.takeRecord();
  client.destroy();
});

test('a client of HTTP/1.0 gets the bytes without chunks, and a cut one gets no orderly end', async () => {
  const ask = 'POST /v1/messages HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}';
  for (const cut of [false, true]) {
    const client = await RawClient.send(proxy.listenPort, ask);
    const exchange = await upstream.next();
    await exchange.openStream();
    await exchange.chunk(STREAM);
    await client.until((text) => text.includes('message_stop"}'));
    if (cut) exchange.reset();
    else await exchange.endChunks();
    assert.equal(await client.closed, cut ? 'ECONNRESET' : 'end');
    const answer = await client.rest();
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.equal(sha256(answer.body), sha256(STREAM));
    assert.equal((await proxy.takeRecord()).end, cut ? 'upstream_cut' : 'complete');
  }
});
