import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { selfSigned } from '../../test/support/self-signed.ts';
import { createLimiter } from '../limiter.ts';
import type { Access } from './access.ts';
import { Multiplexer, type StreamedAnswer } from './multiplex.ts';
import { sendStreaming } from './transport.ts';

const PAIR = selfSigned();
const WATCH = { method: 'GET', path: '/watch', action: 'watch things' } as const;

interface Place {
  readonly url: URL;
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections were opened so far. */
  readonly opened: () => number;
}

async function listening(t: TestContext, server: Http2SecureServer | Server): Promise<Place> {
  const sockets = new Set<Socket>();
  let opened = 0;
  server.on('connection', (socket: Socket) => {
    opened += 1;
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`), sockets, opened: () => opened };
}

/** Answers each request with 200 and one line, and then says nothing more, as a watch does. */
function http2Server(maxConcurrentStreams: number): Http2SecureServer {
  const server = createSecureServer({ ...PAIR, settings: { maxConcurrentStreams } });
  server.on('sessionError', () => undefined);
  return server.on('stream', (stream: ServerHttp2Stream, head) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': head[':path'] === '/refused' ? 403 : 200 });
    stream.write(`${head[':path']}\n`);
  });
}

function multiplexed(t: TestContext, { url }: Place) {
  const multiplexer = new Multiplexer(url);
  const ending = new AbortController();
  t.after(() => ending.abort());
  return (path: string, signal: AbortSignal = ending.signal): Promise<StreamedAnswer | undefined> =>
    multiplexer.get(path, { ca: PAIR.cert }, { accept: 'application/json' }, signal);
}

async function firstLine(answer: StreamedAnswer | undefined): Promise<string> {
  assert.ok(answer, 'no HTTP/2');
  answer.body.on('error', () => undefined);
  const [chunk] = (await once(answer.body, 'data')) as [Buffer];
  return chunk.toString().trim();
}

test('two hundred watches that start at once are all answered, on three connections', async (t) => {
  const place = await listening(t, http2Server(100));
  const get = multiplexed(t, place);
  const paths = Array.from({ length: 200 }, (_, index) => `/watch/${index}`);
  const lines = await Promise.all(paths.map(async (path) => firstLine(await get(path))));
  assert.deepEqual(lines, paths);
  assert.equal(place.opened(), 3);
});

test('a server that takes fewer streams on a connection is given no more', async (t) => {
  const place = await listening(t, http2Server(4));
  const get = multiplexed(t, place);
  const lines = await Promise.all(['/a', '/b', '/c', '/d', '/e', '/f'].map(async (path) => firstLine(await get(path))));
  assert.equal(lines.length, 6);
  assert.equal(place.opened(), 2);
});

test('an abort ends one answer and leaves its neighbour; with the last the connection closes', async (t) => {
  const place = await listening(t, http2Server(100));
  const get = multiplexed(t, place);
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = await Promise.all([get('/a', first.signal), get('/b', second.signal)]);
  await Promise.all(answers.map(firstLine));
  const [gone, kept] = answers;
  const closed = new Promise((resolve) => gone?.body.once('close', resolve));
  first.abort();
  await closed;
  assert.equal(kept?.body.destroyed, false);
  const [socket] = place.sockets;
  const disconnected = once(socket ?? assert.fail(), 'close');
  second.abort();
  await disconnected;
});

test('who aborts while the connection is made stops waiting; the others get theirs', async (t) => {
  const get = multiplexed(t, await listening(t, http2Server(100)));
  const impatient = new AbortController();
  const [gone, kept] = [get('/a', impatient.signal), get('/b')];
  impatient.abort(new Error('Enough'));
  await assert.rejects(gone, /Enough/);
  assert.equal(await firstLine(await kept), '/b');
});

test('a connection that breaks fails its answers, and the next request makes another', async (t) => {
  const place = await listening(t, http2Server(100));
  const get = multiplexed(t, place);
  const answer = (await get('/a')) ?? assert.fail();
  const read = answer.body.toArray();
  for (const socket of place.sockets) socket.destroy();
  await read.then(
    // Node ends a stream whose connection went without an error; the watch then goes on from its last version.
    (parts: Buffer[]) => assert.equal(Buffer.concat(parts).toString(), '/a\n'),
    (error: unknown) => assert.ok(error instanceof Error),
  );
  assert.equal(await firstLine(await get('/b')), '/b');
  assert.equal(place.opened(), 2);
});

test('a server that closes before it said a word of HTTP/2 is a failure, not a wait', async (t) => {
  const server = createServer({ ...PAIR, ALPNProtocols: ['h2'] }).on('secureConnection', (socket) => socket.destroy());
  const get = multiplexed(t, await listening(t, server));
  await assert.rejects(get('/a'), /closed|hang up|ECONNRESET|disconnected/);
});

test('the status of a refusal is told', async (t) => {
  const get = multiplexed(t, await listening(t, http2Server(100)));
  assert.equal((await get('/refused'))?.status, 403);
});

test('where the server speaks no HTTP/2 every watch has an HTTP/1.1 connection, and only the first asks', async (t) => {
  const server = createServer(PAIR, (request, response) => {
    response.writeHead(200).write(`${request.httpVersion} ${request.url}\n`);
  });
  const place = await listening(t, server);
  const access: Access = {
    server: place.url,
    limit: createLimiter(1),
    options: async () => ({ ca: PAIR.cert }),
    multiplexer: new Multiplexer(place.url),
  };
  const ending = new AbortController();
  t.after(() => ending.abort());
  for (const count of [2, 3, 4]) {
    const body = await sendStreaming(access, WATCH, ending.signal);
    for await (const part of { [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() }) {
      assert.equal(part.toString(), '1.1 /watch\n');
      break;
    }
    assert.equal(place.opened(), count);
  }
});
