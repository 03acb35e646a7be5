/** The short way against the long one: the same answers, byte by byte, read by undici alone and with whole chunks led past it. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { ValidUpstream } from '#contract/compiled.ts';
import { attempt, type UpstreamAnswer } from '../../proxy/dispatch/attempt.ts';
import { openPool, type UpstreamPool } from '../../proxy/upstream/pool.ts';
import { type Seeded, seeded } from '../support/clients/seeded.ts';

const SEEDS = process.env['SLUICE_LONG'] === '1' ? 5_000 : 40;

function chunk(random: Seeded, size: number): Buffer {
  const digits = size.toString(16);
  const line = random.pick([digits, digits, digits, digits.toUpperCase(), `00${digits}`]);
  const extension = random.next() < 0.03 ? ';name=value' : '';
  const payload = Buffer.alloc(size, 'data: 5\r\nhello\r\n0\r\n\r\n');
  const end = random.next() < 0.01 ? 'XX' : '\r\n';
  return Buffer.concat([Buffer.from(`${line}${extension}\r\n`), payload, Buffer.from(end)]);
}

function body(random: Seeded): Buffer {
  const chunks = Array.from({ length: random.below(30) }, () => {
    const size = 1 + random.below(random.pick([8, 200, 5_000, 100_000]));
    return chunk(random, size);
  });
  const endings = ['0\r\n\r\n', '0\r\n\r\n', '0\r\n\r\n', '0\r\nx-trailer: yes\r\n\r\n', '0\r\n', 'zz\r\n', '5\r\nhel'];
  return Buffer.concat([...chunks, Buffer.from(random.pick(endings))]);
}

/** Interim answers, other framings and sloppy line ends must find the long way. */
function head(random: Seeded, length: number): string {
  const interim = random.next() < 0.1 ? 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n' : '';
  const framing =
    random.next() < 0.05
      ? `Content-Length: ${length}`
      : random.pick(['Transfer-Encoding: chunked', 'transfer-encoding: Chunked']);
  return `${interim}HTTP/1.1 200 OK\r\nx-a: b\r\n${framing}\r\n\r\n`;
}

/** Cuts at places of its own, sometimes with a pause, so that every kind of read occurs. */
async function send(socket: Socket, bytes: Buffer, random: Seeded): Promise<void> {
  const most = random.pick([3, 50, 1_000, 70_000, 1_000_000]);
  let paused = 0;
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const step = Math.max(1 + random.below(most), Math.floor(bytes.length / 2_000));
    socket.write(bytes.subarray(at, at + step));
    at += step;
    if (random.next() < 0.3 && paused++ < 100) await nextTurn();
  }
}

const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.setNoDelay(true).on('error', () => {});
  socket.on('data', (request) => {
    const random = seeded(Number(/^GET \/(\d+)/.exec(request.toString('latin1'))?.[1]));
    const bytes = body(random);
    void send(socket, Buffer.concat([Buffer.from(head(random, bytes.length)), bytes]), random).then(() => {
      if (random.next() < 0.1 || !bytes.toString('latin1').endsWith('\r\n\r\n')) socket.end();
    });
  });
});

let upstream: ValidUpstream;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  upstream = {
    kind: 'valid',
    name: 'u',
    dialect: 'raw',
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    basePath: '',
    credentials: [],
    timeouts: { connectMs: 5_000, firstByteMs: 5_000, idleMs: 0, totalMs: 0 },
    modelMap: [],
    translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
  };
});
after(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

interface Outcome {
  readonly body: string;
  readonly end: string;
}

/** Reads an answer to its end, pausing now and then. */
async function read(answer: UpstreamAnswer, random: Seeded): Promise<Outcome & { readonly framedBytes: number }> {
  const pieces: Buffer[] = [];
  let framedBytes = 0;
  const take = (bytes: Buffer): void => {
    pieces.push(Buffer.from(bytes));
    if (random.next() > 0.05) return;
    answer.body.pause();
    setImmediate(() => answer.body.resume());
  };
  const end = await new Promise<string>((resolve) =>
    answer.body.consume({
      chunk: take,
      framed(framed, bounds) {
        framedBytes += framed.length;
        for (let i = 0; i < bounds.length; i += 2) take(framed.subarray(bounds[i], bounds[i + 1]));
      },
      end: (trailers) => resolve(`whole ${trailers.join(' ')}`),
      cut: () => resolve('cut'),
    }),
  );
  return { body: Buffer.concat(pieces).toString('latin1'), end, framedBytes };
}

function ask(pool: UpstreamPool, seed: number): Promise<UpstreamAnswer> {
  const request = { method: 'GET', path: `/${seed}`, headers: [], body: null, waitsForClient: () => false };
  return attempt(pool, upstream, request, { signal: new AbortController().signal, inform: () => {} });
}

async function get(pool: UpstreamPool, seed: number): Promise<Outcome & { readonly framedBytes: number }> {
  try {
    return await read(await ask(pool, seed), seeded(seed + 1));
  } catch (error) {
    return { body: '', end: (error as Error).message, framedBytes: 0 };
  }
}

test('answers are read as undici alone reads them, each cut and framed in its own way', async () => {
  const short = openPool(upstream, {});
  const long: UpstreamPool = new Pool(upstream.origin, { allowH2: false, headersTimeout: 0, bodyTimeout: 0 });
  let framedBytes = 0;
  let ends = '';
  for (let seed = 0; seed < SEEDS; seed++) {
    const [ours, theirs] = await Promise.all([get(short, seed), get(long, seed)]);
    assert.equal(ours.end, theirs.end, `end of seed ${seed}`);
    // Behind a broken chunk undici delivers nothing more of what it read at once, and neither do we of what came whole.
    if (ours.end === 'cut')
      assert.ok(ours.body.startsWith(theirs.body) || theirs.body.startsWith(ours.body), `seed ${seed}`);
    else assert.ok(ours.body === theirs.body, `body of seed ${seed}`);
    framedBytes += ours.framedBytes;
    ends += `${ours.end};`;
  }
  await Promise.all([short.destroy(), long.destroy()]);
  assert.ok(framedBytes > 20_000, `${framedBytes} bytes took the short way`);
  for (const kind of ['whole ;', 'whole x-trailer yes;', 'cut;']) assert.ok(ends.includes(kind), kind);
});

const FLOOD_CHUNK = `3c\r\n${'data: '.padEnd(58, 'flood ')}\n\n\r\n`;

test('one flood leaves room for others in each turn of the event loop', async () => {
  const flood = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      socket.write(Buffer.alloc(FLOOD_CHUNK.length * 128 * 1024, FLOOD_CHUNK));
      socket.end('0\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => flood.listen(0, '127.0.0.1', resolve));
  const pool = openPool({ ...upstream, origin: `http://127.0.0.1:${(flood.address() as AddressInfo).port}` }, {});
  try {
    const { body } = await ask(pool, 0);
    const turns = [0];
    const newTurn = (): void => {
      turns.push(0);
      turn = setImmediate(newTurn);
    };
    let turn = setImmediate(newTurn);
    const count = (bytes: number): void => {
      turns[turns.length - 1] = (turns.at(-1) ?? 0) + bytes;
    };
    await new Promise<void>((resolve, reject) =>
      body.consume({
        chunk: (bytes) => count(bytes.length),
        framed: (framed) => count(framed.length),
        end: () => resolve(),
        cut: reject,
      }),
    );
    clearImmediate(turn);
    assert.ok(Math.max(...turns) <= 640 * 1024, `${Math.max(...turns)} bytes in one turn`);
  } finally {
    await pool.destroy();
    flood.close();
  }
});
