/** Promise: an upstream that replays gives a recorded answer again: the same bytes in the same chunks, at their times, to the same end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExchangeRecord } from '../../proxy/log/record.ts';
import { takeOne } from '../support/clients/records.ts';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { parseAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

/** Chunks cut where they like, in the middle of a character too. */
const CHUNKS = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-x","usage":{"input_tokens":3}}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Gr',
  Buffer.from([0xc3]),
  Buffer.concat([Buffer.from([0xbc]), Buffer.from('ße"}}\n\n')]),
  ': a comment\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
].map((part) => Buffer.from(part));
const DIGEST = sha256(Buffer.concat(CHUNKS));

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function spec(url: string, speed: number): Spec {
  return {
    upstreams: [
      { name: 'live', dialect: 'anthropic', url },
      { name: 'recorded', dialect: 'anthropic', replay: { path: 'recordings/answers.ndjson', speed } },
    ],
    routes: [
      { name: 'again', match: { headers: [{ name: 'x-replay', values: ['1'] }] }, upstreams: [{ name: 'recorded' }] },
      { name: 'live', upstreams: [{ name: 'live' }] },
    ],
  };
}

interface Scene {
  readonly proxy: ProxyProcess;
  readonly upstream: RawUpstream;
  /** Adds to the file that is played. */
  keep(...records: readonly unknown[]): Promise<void>;
}

async function scene(t: TestContext, speed = 1): Promise<Scene> {
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const proxy = await ProxyProcess.start(spec(upstream.url, speed));
  t.after(() => proxy.stop());
  await mkdir(join(proxy.directory, 'recordings'));
  const file = join(proxy.directory, 'recordings/answers.ndjson');
  await writeFile(file, 'this line is no record\n');
  const keep = async (...records: readonly unknown[]): Promise<void> => {
    for (const record of records) await appendFile(file, `${JSON.stringify(record)}\n`);
  };
  return { proxy, upstream, keep };
}

/** Body of the answer as far as it came. */
function bodyOf(client: RawClient): Buffer {
  return parseAnswer(client.received)?.body ?? Buffer.alloc(0);
}

/** Has an answer recorded, which `answer` writes. */
async function record(
  { proxy, upstream }: Pick<Scene, 'proxy' | 'upstream'>,
  answer: (exchange: UpstreamExchange, chunk: (bytes: Buffer) => Promise<void>) => Promise<void>,
): Promise<ExchangeRecord> {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  let sent = 0;
  await answer(exchange, async (bytes) => {
    sent += bytes.length;
    await exchange.chunk(bytes);
    // Only when it has passed, so that no two chunks are read together.
    await client.until(() => bodyOf(client).length >= sent);
  });
  const recorded = await takeOne(proxy);
  client.destroy();
  return recorded;
}

function recordWhole(s: Pick<Scene, 'proxy' | 'upstream'>, waitMs = 0): Promise<ExchangeRecord> {
  return record(s, async (exchange, chunk) => {
    await exchange.openStream('x-upstream: yes\r\n');
    for (const bytes of CHUNKS) {
      await pause(waitMs);
      await chunk(bytes);
    }
    await exchange.endChunks();
  });
}

async function replay({ proxy }: Pick<Scene, 'proxy'>, headers = ''): Promise<RawClient> {
  return RawClient.send(proxy.listenPort, messagesRequest(undefined, `x-replay: 1\r\n${headers}`));
}

/** When each chunk came, in milliseconds since the upstream was asked. */
function sinceAsked({ attempts, response }: ExchangeRecord): number[] {
  let at = -(attempts.at(-1)?.startMs ?? 0);
  return (response?.arrivals?.deltasMs ?? []).map((delta) => {
    at += delta;
    return at;
  });
}

/** Plays the next one and says what was played. */
async function played(s: Scene, headers = ''): Promise<string> {
  const client = await replay(s, headers);
  const { response, end } = await takeOne(s.proxy);
  client.destroy();
  return response?.body?.sha256 ?? end;
}

test('replay: a record says when each chunk came, and its replay has the same bytes and chunks, none before its time', async (t) => {
  const s = await scene(t);
  const recorded = await recordWhole(s, 40);
  const { bytes, deltasMs } = recorded.response?.arrivals ?? assert.fail('no arrivals');
  assert.deepEqual(
    bytes,
    CHUNKS.map(({ length }) => length),
  );
  assert.ok(
    deltasMs.every((delta) => delta >= 38),
    JSON.stringify(deltasMs),
  );
  await s.keep(recorded);
  const client = await replay(s);
  const again = await takeOne(s.proxy);
  assert.deepEqual([again.end, again.status, again.upstream], ['complete', 200, 'recorded']);
  assert.equal(again.response?.body?.sha256, DIGEST);
  assert.equal(recorded.response?.body?.sha256, DIGEST);
  assert.deepEqual(again.response.arrivals?.bytes, bytes);
  const [recordedMs, playedMs] = [sinceAsked(recorded), sinceAsked(again)];
  // Rounding apart. How late a busy machine makes them is nothing that can be promised.
  assert.ok(
    playedMs.every((ms, i) => ms >= (recordedMs[i] ?? 0) - 3),
    JSON.stringify({ recordedMs, playedMs }),
  );
  const answer = await client.answer();
  assert.equal(sha256(answer.body), DIGEST);
  assert.equal(answer.headers['x-upstream'], 'yes');
  assert.equal(s.upstream.waiting, 0, 'somebody was asked');
  client.destroy();
});

test('replay: an answer that was cut is cut again, and never passed off as whole', async (t) => {
  const s = await scene(t, 0);
  const recorded = await record(s, async (exchange, chunk) => {
    await exchange.openStream();
    for (const bytes of CHUNKS.slice(0, 2)) await chunk(bytes);
    exchange.reset();
  });
  assert.equal(recorded.end, 'upstream_cut');
  await s.keep(recorded);
  const client = await replay(s);
  const again = await takeOne(s.proxy);
  assert.deepEqual([again.end, again.detail], ['upstream_cut', 'RECORDED_CUT']);
  assert.equal(again.response?.body?.sha256, recorded.response?.body?.sha256);
  assert.equal((await client.rest()).complete, false);
});

test('replay: records take turns, one can be named, what is appended is found, and what cannot be played says why', async (t) => {
  const s = await scene(t, 0);
  const one = await recordWhole(s);
  await s.keep(one);
  assert.equal(await played(s), DIGEST);
  const other = await record(s, (exchange) =>
    exchange.reply(200, '{"type":"message"}', 'content-type: application/json\r\n'),
  );
  const { response: _, ...bodiless } = { ...one, id: 'bodiless', exchange: 'bodiless' };
  await s.keep(bodiless, other);
  const digest = other.response?.body?.sha256;
  assert.deepEqual([await played(s), await played(s), await played(s)], [digest, DIGEST, digest]);
  assert.equal(await played(s, `sluice-replay-record: ${one.id}\r\n`), DIGEST);
  for (const [id, reason] of [
    ['nobody', /Upstream \\"recorded\\" has no record \\"nobody\\"/],
    ['bodiless', /cannot play the record \\"bodiless\\": it holds no answer/],
  ] as const) {
    const client = await replay(s, `sluice-replay-record: ${id}\r\n`);
    const answer = await client.answer();
    assert.equal(answer.status, 502);
    assert.match(answer.body.toString(), reason);
    client.destroy();
    assert.equal((await takeOne(s.proxy)).end, 'no_answer');
  }
});

test('replay: a client that leaves ends it, long before the record does', async (t) => {
  const s = await scene(t);
  const recorded = await recordWhole(s);
  const { bytes = [], deltasMs = [] } = recorded.response?.arrivals ?? {};
  const slow = { deltasMs: deltasMs.map((_, i) => (i < 2 ? 0 : 3_600_000)), bytes };
  await s.keep({ ...recorded, response: { ...recorded.response, arrivals: slow } });
  const client = await replay(s);
  const early = Buffer.concat(CHUNKS.slice(0, 2)).length;
  await client.until(() => bodyOf(client).length === early);
  client.destroy();
  const { end, response } = await takeOne(s.proxy);
  assert.deepEqual([end, response?.body?.bytes], ['client_gone', early]);
});

test('replay: more than a connection holds reaches a client that begins to read late', async (t) => {
  const s = await scene(t, 0);
  const recorded = await recordWhole(s);
  const block = 'x'.repeat(1024 ** 2);
  const bytes = Array<number>(24).fill(block.length);
  const body = { bytes: 24 * block.length, sha256: '', truncated: false, text: block.repeat(24) };
  const headers = [['content-type', 'text/plain']];
  await s.keep({ ...recorded, response: { headers, body, arrivals: { bytes, deltasMs: bytes.map(() => 0) } } });
  const answer = await fetch(`http://127.0.0.1:${s.proxy.listenPort}/v1/messages`, {
    method: 'POST',
    headers: { 'x-replay': '1', 'content-type': 'application/json' },
    body: '{"model":"claude-x"}',
  });
  await s.proxy.admin('/healthz');
  assert.equal(sha256(Buffer.from(await answer.arrayBuffer())), sha256(Buffer.from(body.text)));
});

test('replay: a path that a link leads out of the state directory is not played', async (t) => {
  const s = await scene(t);
  await s.proxy.apply({
    ...spec(s.upstream.url, 1),
    upstreams: [{ name: 'recorded', dialect: 'anthropic', replay: { path: 'out/status' } }],
    routes: [{ name: 'all', upstreams: [{ name: 'recorded' }] }],
  });
  await symlink('/proc/self', join(s.proxy.directory, 'out'));
  const client = await replay(s);
  assert.match((await client.answer()).body.toString(), /must not leave the state directory/);
  client.destroy();
});
