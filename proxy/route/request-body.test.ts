import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { PEEK_BYTES, RequestBody } from './request-body.ts';

const never = new AbortController().signal;

interface Arrived {
  readonly body: RequestBody;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A server that hands over each request, and a client that writes to it what it is told to. */
async function connected(t: TestContext): Promise<{ client: Socket; next: () => Promise<Arrived> }> {
  const server = createServer();
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  client.resume();
  const next = (): Promise<Arrived> =>
    new Promise((resolve) => {
      server.once('request', (request, response) => {
        const body = new RequestBody(request, { scan: true, onChunk: () => {} });
        // In the turn in which its head came, as the pipeline does.
        void body.peek(() => body.scanner.satisfied, never).then(() => resolve({ body, request, response }));
      });
    });
  return { client, next };
}

const TEXT = JSON.stringify({ model: 'claude-x', stream: true, messages: [] });
const post = (lines: string, text: string): string => `POST / HTTP/1.1\r\nhost: x\r\n${lines}\r\n\r\n${text}`;

test('a body that comes with its head is whole at once, and its connection serves on', async (t) => {
  const { client, next } = await connected(t);
  for (let n = 0; n < 2; n++) {
    const arriving = next();
    client.write(post(`content-length: ${TEXT.length}`, TEXT));
    const { body, request, response } = await arriving;
    assert.deepEqual(body.send(), { kind: 'whole', bytes: Buffer.from(TEXT) });
    if (!request.readableEnded) await once(request, 'end');
    response.end();
  }
});

test('chunks whose end is there are whole, and those whose end is not are a stream', async (t) => {
  const { client, next } = await connected(t);
  const arriving = next();
  client.write(post('transfer-encoding: chunked', `${TEXT.length.toString(16)}\r\n${TEXT}\r\n`));
  const { body } = await arriving;
  const sent = body.send();
  client.write('0\r\n\r\n');
  assert.ok(sent.kind === 'stream' && sent.contentLength === undefined);
  assert.equal((await buffer(sent.stream)).toString(), TEXT);
});

test('a request that announces no body has none', async (t) => {
  const { client, next } = await connected(t);
  const arriving = next();
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.deepEqual((await arriving).body.send(), { kind: 'none' });
});

test('a body that is announced as short and comes in parts is whole when the last of them is there', async (t) => {
  const { client, next } = await connected(t);
  const arriving = next();
  client.write(post(`content-length: ${TEXT.length + 3}`, TEXT));
  const { body } = await arriving;
  assert.deepEqual([body.short, body.whole], [true, false]);
  const all = body.peek(() => false, never);
  client.write('   ');
  await all;
  assert.deepEqual(body.send(), { kind: 'whole', bytes: Buffer.from(`${TEXT}   `) });
});

test('one that is announced as longer than what may be kept is a stream of that length', async (t) => {
  const { client, next } = await connected(t);
  const arriving = next();
  client.write(post(`content-length: ${PEEK_BYTES + 1}`, TEXT));
  const { body } = await arriving;
  const sent = body.send();
  assert.ok(sent.kind === 'stream' && sent.contentLength === PEEK_BYTES + 1 && !body.short);
  sent.stream.resume();
  const ended = once(sent.stream, 'end');
  client.destroy();
  await assert.rejects(ended, { kind: 'client_gone' });
});
