/** HTTP/2 to upstreams whose resource asks for it keeps every promise of HTTP/1.1; client certificates are shown to those that ask. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { selfSigned } from '../support/self-signed.ts';

const START = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const ABORT_MS = 50;
const MIB = 1024 ** 2;

const server = selfSigned();
const client = selfSigned();
let h2: Http2SecureServer;
let h1: HttpsServer;
let proxy: ProxyProcess;
let sessions = 0;

const portOf = (listening: Http2SecureServer | HttpsServer): number => (listening.address() as AddressInfo).port;

before(async () => {
  const asks = { requestCert: true, rejectUnauthorized: true, ca: client.cert };
  h2 = createSecureServer({ ...server, ...asks });
  h1 = createHttps({ ...server, ...asks }, (request, response) => {
    response.setHeader('x-version', request.httpVersion);
    response.end((request.socket as TLSSocket).getPeerCertificate().fingerprint256);
  });
  h2.on('session', () => {
    sessions += 1;
  });
  for (const each of [h1, h2]) {
    each.on('tlsClientError', () => {});
    each.listen(0, '127.0.0.1');
    await once(each, 'listening');
  }
  const tls = { ca: { secret: { name: 'tls', key: 'ca.crt' } }, clientCertificate: { secret: { name: 'tls' } } };
  const named = (name: string, port: number, more: object): Spec['upstreams'][number] => ({
    name,
    dialect: 'anthropic',
    url: `https://127.0.0.1:${port}`,
    tls,
    ...more,
  });
  const upstreams = [
    named('two', portOf(h2), { http2: true }),
    named('one', portOf(h1), { http2: true }),
    named('shown', portOf(h1), {}),
    named('unshown', portOf(h1), { tls: { ca: tls.ca } }),
  ];
  proxy = await ProxyProcess.start(
    {
      upstreams,
      routes: [
        { name: 'raw', match: { headers: [{ name: 'x-model' }] }, upstreams: [{ name: 'two' }] },
        ...upstreams.map(({ name }) => ({ name, match: { models: [name] }, upstreams: [{ name }] })),
      ],
    },
    { secrets: { tls: { 'ca.crt': server.cert, 'tls.crt': client.cert, 'tls.key': client.key } } },
  );
});
after(async () => {
  await proxy.stop();
  h2.close();
  h1.close();
});

interface Arrived {
  readonly stream: ServerHttp2Stream;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

async function arrived(): Promise<Arrived> {
  const [stream, headers] = (await once(h2, 'stream')) as [ServerHttp2Stream, Arrived['headers']];
  stream.on('error', () => {});
  return { stream, headers };
}

/** Resolves with the code of the reset. */
function closing(stream: ServerHttp2Stream): Promise<number | undefined> {
  return new Promise((resolve) => {
    stream.on('close', () => resolve(stream.rstCode));
  });
}

const ask = (model: string): Promise<RawClient> =>
  RawClient.send(proxy.listenPort, messagesRequest(`{"model":"${model}","stream":true}`, 'x-kept: 1\r\n'));

test('a stream over HTTP/2 passes byte by byte as it comes, its headers and trailers too', async () => {
  const [{ stream, headers }, reader] = await Promise.all([arrived(), ask('two')]);
  assert.deepEqual([headers[':path'], headers['x-kept'], headers['connection']], ['/v1/messages', '1', undefined]);
  stream.respond(
    { ':status': 200, 'content-type': 'text/event-stream', 'request-id': 'req_2', 'set-cookie': ['a=1', 'b=2'] },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }));
  stream.write(START);
  await reader.until((text) => text.includes('message_start'));
  stream.end(STOP);
  const answer = await reader.answer();
  assert.deepEqual([answer.status, answer.headers['request-id'], answer.body.toString()], [200, 'req_2', START + STOP]);
  assert.deepEqual(
    answer.rawHeaders.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  );
  assert.equal(answer.trailers, 'x-checksum: abc\r\n');
  assert.doesNotMatch(answer.head, /:status/);
  assert.equal((await proxy.takeRecord()).end, 'complete');
  reader.destroy();
});

test('a large body goes up whole, and a large answer comes down whole to a client that takes its time', async () => {
  const body = `{"model":"two","x":"${'y'.repeat(8 * MIB)}"}`;
  const [{ stream }, reader] = await Promise.all([
    arrived(),
    RawClient.send(proxy.listenPort, post('/v1/messages', body)),
  ]);
  let received = 0;
  for await (const chunk of stream) received += (chunk as Buffer).length;
  assert.equal(received, body.length);
  reader.socket.pause();
  const bytes = Buffer.alloc(12 * MIB, 'z');
  stream.respond({ ':status': 200, 'content-length': bytes.length });
  stream.end(bytes);
  await new Promise((resolve) => setTimeout(resolve, 300));
  reader.socket.resume();
  // Counted, not joined: joining at each read would take longer than the transfer.
  const arrivedBytes = (): number => reader.arrivals.reduce((sum, arrival) => sum + arrival.bytes.length, 0);
  const headBytes = (): number => (reader.arrivals[0]?.bytes.indexOf('\r\n\r\n') ?? 0) + 4;
  while (arrivedBytes() < headBytes() + bytes.length) await once(reader.socket, 'data');
  assert.equal(reader.received.subarray(-bytes.length).compare(bytes), 0);
  assert.equal((await proxy.takeRecord()).end, 'complete');
  reader.destroy();
});

test('a client that leaves closes its stream within 50 ms, before an answer and in the middle of one', async () => {
  for (let count = 0; count < 12; count += 1) {
    const [{ stream }, reader] = await Promise.all([arrived(), ask('two')]);
    if (count % 2 === 1) {
      stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
      stream.write(START);
      await reader.until((text) => text.includes('message_start'));
    }
    const closed = closing(stream);
    const leftAt = performance.now();
    reader.destroy();
    assert.equal(await closed, constants.NGHTTP2_CANCEL);
    assert.ok(performance.now() - leftAt < ABORT_MS, `${performance.now() - leftAt} ms`);
    assert.equal((await proxy.takeRecord()).end, 'client_gone');
  }
});

test('a client that leaves in the middle of its upload closes the stream as well', async () => {
  const head = 'POST /raw HTTP/1.1\r\nHost: x\r\nx-model: two\r\nTransfer-Encoding: chunked\r\n\r\n';
  const [{ stream }, reader] = await Promise.all([arrived(), RawClient.send(proxy.listenPort, `${head}4\r\nhalf\r\n`)]);
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  assert.equal(chunk.toString(), 'half');
  let isWhole = false;
  stream.on('end', () => {
    isWhole = true;
  });
  const closed = closing(stream);
  const leftAt = performance.now();
  reader.destroy();
  await closed;
  assert.ok(performance.now() - leftAt < ABORT_MS, `${performance.now() - leftAt} ms`);
  // Half a body is never passed off as the whole.
  assert.equal(isWhole, false);
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
});

test('a session that breaks cuts its streams, and the next exchange opens another one', async () => {
  const [{ stream }, reader] = await Promise.all([arrived(), ask('two')]);
  stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
  stream.write(START);
  await reader.until((text) => text.includes('message_start'));
  stream.session?.destroy();
  const answer = await reader.rest();
  assert.deepEqual([answer.complete, answer.body.toString()], [false, START]);
  assert.equal((await proxy.takeRecord()).end, 'upstream_cut');
  // Told to go away in order, a stream in flight still ends well.
  const [second, again] = await Promise.all([arrived(), ask('two')]);
  second.stream.session?.goaway();
  second.stream.respond({ ':status': 200 });
  second.stream.end('{"in":"order"}');
  assert.equal((await again.answer()).body.toString(), '{"in":"order"}');
  await proxy.takeRecord();
  again.destroy();
  const [third, last] = await Promise.all([arrived(), ask('two')]);
  third.stream.respond({ ':status': 200 });
  third.stream.end('{}');
  assert.equal((await last.answer()).status, 200);
  await proxy.takeRecord();
  last.destroy();
});

test('a stream that is reset is never passed off as whole, and its connection serves on', async () => {
  const before = sessions;
  const [{ stream }, reader] = await Promise.all([arrived(), ask('two')]);
  stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
  stream.write(START);
  await reader.until((text) => text.includes('message_start'));
  stream.close(2);
  const answer = await reader.rest();
  assert.deepEqual([answer.complete, answer.body.toString()], [false, START]);
  assert.equal((await proxy.takeRecord()).end, 'upstream_cut');
  const [next, again] = await Promise.all([arrived(), ask('two')]);
  next.stream.respond({ ':status': 200 });
  next.stream.end('{}');
  assert.equal((await again.answer()).body.toString(), '{}');
  await proxy.takeRecord();
  again.destroy();
  assert.equal(sessions, before);
});

test('several exchanges share one connection', async () => {
  const before = sessions;
  const readers = [];
  const streams = [];
  for (let count = 0; count < 5; count += 1) {
    const [{ stream }, reader] = await Promise.all([arrived(), ask('two')]);
    streams.push(stream);
    readers.push(reader);
  }
  for (const stream of streams) {
    stream.respond({ ':status': 200 });
    stream.end('{}');
  }
  for (const reader of readers) {
    assert.equal((await reader.answer()).status, 200);
    await proxy.takeRecord();
    reader.destroy();
  }
  assert.equal(sessions, before);
});

test('the client certificate is shown, also where the upstream speaks HTTP/1.1 only, and without it the handshake fails', async () => {
  for (const model of ['one', 'shown']) {
    const reader = await ask(model);
    const answer = await reader.answer();
    assert.deepEqual([answer.status, answer.headers['x-version']], [200, '1.1']);
    assert.match(answer.body.toString(), /^[0-9A-F:]{95}$/);
    await proxy.takeRecord();
    reader.destroy();
  }
  const reader = await ask('unshown');
  const answer = await reader.answer();
  assert.deepEqual([answer.status, (await proxy.takeRecord()).end], [502, 'no_answer']);
  reader.destroy();
  assert.doesNotMatch(proxy.output, /PRIVATE KEY/);
});
