/**
 * Promise: with `capture.partials` a long stream is recorded while it runs, in rising sequence and always whole so far; the record of
 * the whole is the last, every state is accounted for, and a process that is killed leaves the newest state with the end `killed`.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Ajv } from 'ajv';
import { until } from '../support/cluster/wait.ts';
import { type Receiver, startReceiver } from '../support/log-targets/receiver.ts';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';
import { readSpool } from '../support/spool-file.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../docs/record.schema.json', import.meta.url), 'utf8')) as object;
const validate = new Ajv({ allErrors: true }).compile(SCHEMA);

interface Seen {
  readonly id: string;
  readonly sequence?: number;
  readonly partial?: boolean;
  readonly recovered?: boolean;
  readonly end?: string;
  readonly status: number;
  readonly usage?: { readonly outputTokens: number; readonly partial: boolean };
  readonly response: {
    readonly body: { bytes: number; text: string };
    readonly arrivals: { readonly bytes: number[] };
  };
}

const OPENING =
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-x","usage":{"input_tokens":3,"output_tokens":1}}}\n\n';
const CLOSING = [
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
].join('');
const said = (text: string): string =>
  `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`;

function spec(upstream: string, receiver: Receiver, partials: boolean): Spec {
  return {
    upstreams: [{ name: 'up', dialect: 'anthropic', url: upstream }],
    routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
    logging: {
      capture: { partials, partialsEvery: '1s' },
      targets: [
        { name: 'file', file: { path: 'records.ndjson' } },
        { name: 'store', http: { url: receiver.url, maxRecords: 10 } },
      ],
      audit: { enabled: true },
    },
  };
}

interface Scene {
  readonly state: string;
  readonly upstream: RawUpstream;
  readonly receiver: Receiver;
  start(partials?: boolean): Promise<ProxyProcess>;
  /** The lines of the `file` target. */
  file(): Seen[];
}

async function scene(t: TestContext): Promise<Scene> {
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const receiver = await startReceiver(t);
  const state = mkdtempSync(join(tmpdir(), 'sluice-progress-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  return {
    state,
    upstream,
    receiver,
    async start(partials = true) {
      const options = { env: { SLUICE_STATE_DIR: state } };
      const proxy = await ProxyProcess.start(spec(upstream.url, receiver, partials), options);
      t.after(() => proxy.stop());
      return proxy;
    },
    file: () => linesOf(join(state, 'records.ndjson')),
  };
}

function linesOf(path: string): Seen[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const record = JSON.parse(line) as Seen;
    assert.ok(validate(record), JSON.stringify(validate.errors));
    return record;
  });
}

async function openStream({ upstream }: Scene, proxy: ProxyProcess): Promise<[RawClient, UpstreamExchange]> {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(OPENING);
  return [client, exchange];
}

/** Resolves when the newest state of the one record that the receiver has is as asked for. */
function stored({ receiver }: Scene, satisfies: (newest: Seen) => boolean): Promise<Seen> {
  const newest = (): Seen | undefined => [...receiver.stored.values()][0] as Seen | undefined;
  const probe = (): Seen | undefined => {
    const record = newest();
    return record && satisfies(record) ? record : undefined;
  };
  return until('a state of the record', probe, { everyMs: 20 });
}

const holds =
  (text: string) =>
  ({ response }: Seen): boolean =>
    response.body.text === text;

/** 0, 1, 2, … and so many of them. */
function assertRising(records: readonly Seen[]): void {
  assert.deepEqual(
    records.map(({ sequence }) => sequence),
    records.map((_, index) => index),
  );
  assert.equal(new Set(records.map(({ id }) => id)).size, 1);
}

async function endOf(proxy: ProxyProcess): Promise<void> {
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
}

/** Resolves when the search gives this one conversation, ended so, and finds it by that. */
async function foundAlone(proxy: ProxyProcess, expected: Pick<Seen, 'id' | 'end'>): Promise<void> {
  for (const filter of ['', `?end=${expected.end ?? 'running'}`]) {
    await until('the conversation', async () => {
      const answer = await fetch(`http://127.0.0.1:${proxy.listenPort}/gateway/audit${filter}`);
      const { hits } = (await answer.json()) as { hits: Pick<Seen, 'id' | 'end'>[] };
      const [hit] = hits;
      return hits.length === 1 && hit?.id === expected.id && hit.end === expected.end ? true : undefined;
    });
  }
}

test('a long stream is recorded while it runs, at every target, and the record of the whole replaces what came before', async (t) => {
  const stage = await scene(t);
  const proxy = await stage.start();
  const [client, exchange] = await openStream(stage, proxy);
  let sent = OPENING;
  for (const part of ['part 0', 'part 1', 'part 2']) {
    await exchange.chunk(said(part));
    sent += said(part);
    const { id, partial, status, usage, end } = await stored(stage, holds(sent));
    assert.deepEqual([partial, status, usage?.partial, end], [true, 200, true, undefined]);
    await foundAlone(proxy, { id });
  }
  await exchange.chunk(CLOSING);
  await exchange.endChunks();
  const whole = await stored(stage, ({ end }) => end === 'complete');
  assert.equal(whole.partial, undefined);
  assert.equal(whole.response.body.text, sent + CLOSING);
  assert.deepEqual(whole.usage, { inputTokens: 3, outputTokens: 9, partial: false });
  assert.ok(client.text.includes('part 2') && client.text.includes('message_stop'));
  await foundAlone(proxy, whole);
  const metrics = (await proxy.admin('/metrics')).text;
  await endOf(proxy);

  const lines = stage.file();
  assertRising(lines);
  assert.ok(lines.length >= 4, `${lines.length}`);
  assert.deepEqual(lines.at(-1), whole);
  for (const { response } of lines) {
    const onWire = response.arrivals.bytes.reduce((sum, bytes) => sum + bytes, 0);
    assert.equal(onWire, response.body.bytes);
    assert.ok(whole.response.body.text.startsWith(response.body.text), 'all that came so far');
  }
  const keys = new Set(stage.receiver.deliveries.map(({ headers }) => headers['idempotency-key']));
  assert.equal(keys.size, stage.receiver.deliveries.length, 'no two states have the same key');
  assert.ok(keys.has(`${whole.id}/${whole.sequence}`), [...keys].join());
  const { seen, delivered, waiting, dropped } = readSpool(stage.state)['store'] ?? assert.fail();
  assert.deepEqual([seen, waiting], [lines.length, 0]);
  assert.equal(seen, delivered + (dropped['superseded'] ?? 0));
  assert.ok(metrics.includes(`sluice_log_records_total{target="file",result="delivered"} ${lines.length}`));
  assert.deepEqual(readdirSync(join(stage.state, 'partials')), [], 'nothing is kept of what is over');
});

test('what waits for a target that is down is the newest state alone, and every older one is counted', async (t) => {
  const stage = await scene(t);
  stage.receiver.fault = () => ({ status: 500 });
  const proxy = await stage.start();
  const [, exchange] = await openStream(stage, proxy);
  for (const part of ['part 0', 'part 1']) {
    const before = stage.file().length;
    await exchange.chunk(said(part));
    await until('another line', () => (stage.file().length > before ? true : undefined), { everyMs: 20 });
  }
  await exchange.chunk(CLOSING);
  await exchange.endChunks();
  await until('the whole', () => (stage.file().at(-1)?.end === 'complete' ? true : undefined), { everyMs: 20 });
  stage.receiver.fault = () => undefined;
  await stored(stage, ({ end }) => end === 'complete');
  await endOf(proxy);
  const seen = stage.file().length;
  const taken = stage.receiver.deliveries.filter(({ status }) => status === 204).length;
  assert.ok(seen >= 3 && taken < seen, `${taken} of ${seen}`);
  const dropped = { superseded: seen - taken };
  assert.deepEqual(readSpool(stage.state)['store'], { seen, delivered: taken, waiting: 0, dropped });
});

test('a process that is killed in a stream leaves its newest state, and the next start says how it ended', async (t) => {
  const stage = await scene(t);
  const proxy = await stage.start();
  const [, exchange] = await openStream(stage, proxy);
  await exchange.chunk(said('before the first'));
  await stored(stage, holds(OPENING + said('before the first')));
  await exchange.chunk(said('before the kill'));
  const last = await stored(stage, holds(OPENING + said('before the first') + said('before the kill')));
  await proxy.stop();
  const next = await stage.start();
  const killed = await stored(stage, ({ end }) => end !== undefined);
  const { id, sequence, partial, recovered, end, response } = killed;
  const expected = [last.id, (last.sequence ?? 0) + 1, undefined, true, 'killed'];
  assert.deepEqual([id, sequence, partial, recovered, end], expected);
  assert.equal(response.body.text, last.response.body.text);
  await foundAlone(next, killed);
  await endOf(next);
  assertRising(stage.file());
  assert.deepEqual(stage.file().at(-1), killed);
  assert.deepEqual(readdirSync(join(stage.state, 'partials')), []);
  const { seen, delivered, waiting, dropped } = readSpool(stage.state)['store'] ?? assert.fail();
  assert.deepEqual([seen, waiting], [stage.file().length, 0]);
  assert.equal(seen, delivered + (dropped['superseded'] ?? 0));
});

test('without it a stream has one record, which has no sequence', async (t) => {
  const stage = await scene(t);
  const proxy = await stage.start(false);
  const [, exchange] = await openStream(stage, proxy);
  await exchange.chunk(said('a') + CLOSING);
  await exchange.endChunks();
  await until('the record', () => (stage.file().length > 0 ? true : undefined), { everyMs: 20 });
  await endOf(proxy);
  assert.deepEqual(
    stage.file().map((record) => ['sequence' in record, 'partial' in record, record.end]),
    [[false, false, 'complete']],
  );
  assert.ok(!existsSync(join(stage.state, 'partials')));
});
