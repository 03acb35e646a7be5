/** The spool when its thread ends in the worst moments: losses are counted once, and what ended it is found and set aside. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HttpTarget } from '#contract/compiled-targets.ts';
import { createLogger } from '../../proxy/log/logger.ts';
import { RestartingThread } from '../../proxy/log/restarting-thread.ts';
import type { SpoolReply } from '../../proxy/log/spool/messages.ts';
import { Spool } from '../../proxy/log/spool/spool.ts';
import { type SpoolThread, type SpoolThreadEvents, startSpoolThread } from '../../proxy/log/spool/spool-thread.ts';
import { until } from '../support/cluster/wait.ts';
import { MOST } from '../support/log-targets/dying-spool-worker.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { listedAsDropped, readSpool } from '../support/spool-file.ts';

const DYING = new URL('../support/log-targets/dying-spool-worker.ts', import.meta.url);

const target = (name: string, url: string): HttpTarget => ({
  kind: 'http',
  name,
  url,
  timeoutMs: 5_000,
  format: 'ndjson',
  maxRecords: 500,
  maxBytes: 1 << 20,
  gzip: false,
});

type StartThread = (stateDirectory: string, events: SpoolThreadEvents) => SpoolThread;

const dying: StartThread = (stateDirectory, events) =>
  new RestartingThread({ url: DYING, stateDirectory, restartFirstMs: 20, restartLastMs: 30_000 }, events);

function open(t: TestContext, targets: readonly HttpTarget[], startThread: StartThread) {
  const state = mkdtempSync(join(tmpdir(), 'sluice-ends-'));
  t.after(() => rmSync(state, { recursive: true }));
  const told = new Map<string, number>();
  const lines: Record<string, unknown>[] = [];
  const add = (name: string, count: number): void => void told.set(name, (told.get(name) ?? 0) + count);
  const bounds = { maxBytes: 1 << 26, maxAgeMs: 1 << 30, keepMs: 5_000 };
  const spool = new Spool(
    { targets, credentials: new Map(), ...bounds },
    {
      stateDirectory: state,
      services: {
        metrics: {
          logged: (name, result, records) => add(`${name} ${result}`, records),
          waiting: () => {},
          forgetTarget: () => {},
          spoolEvent: add,
          spoolInMemory: () => {},
        },
        logger: createLogger({ write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
        isLocal: () => false,
      },
      startThread,
    },
  );
  const deliver = (id: string, die = 'no'): void =>
    spool.deliver(Buffer.from(`${JSON.stringify({ id, die })}\n`), () => {}, id);
  const close = (): Promise<void> => spool.close(AbortSignal.timeout(5_000), 'shutdown');
  // Its thread would be started again for ever.
  t.after(() => spool.close(AbortSignal.abort(), 'shutdown'));
  return { state, spool, told, lines, deliver, close };
}

for (const moment of ['before it has read them', 'after it has written them down'] as const) {
  test(`losses are counted once when the thread ends ${moment}`, async (t) => {
    const receiver = await startReceiver(t);
    let thread: SpoolThread | undefined;
    let swallowed = 0;
    const { state, spool, told, deliver, close } = open(t, [target('store', receiver.url)], (directory, events) => {
      // As if it had ended between its commit and its answer.
      const reply = (said: SpoolReply): void => {
        if (moment.startsWith('after') && said.kind === 'taken' && swallowed === 0) {
          swallowed += 1;
          thread?.post({ kind: 'add' } as never);
        } else events.reply(said);
      };
      thread = startSpoolThread(directory, { ...events, reply });
      return thread;
    });
    await until('the thread to run', () => thread?.running || undefined);
    // A message that it cannot understand ends it; what comes behind in the same turn is never read.
    if (moment.startsWith('before')) thread?.post({ kind: 'add' } as never);
    for (let n = 0; n < 7; n++) spool.lose('overflow', `lost${n}`);
    for (let n = 0; n < 3; n++) deliver(`r${n}`);
    await until('all records', () => (receiver.stored.size === 3 ? true : undefined));
    await close();
    const dropped = { overflow: 7 };
    assert.equal(told.get('restarted'), 1);
    assert.deepEqual(readSpool(state)['store'], { seen: 10, delivered: 3, waiting: 0, dropped });
    assert.deepEqual(
      listedAsDropped(state).map(({ id }) => id),
      Array.from({ length: 7 }, (_, n) => `lost${n}`),
    );
    assert.deepEqual([told.get('store delivered'), told.get('store dropped_overflow')], [3, 7]);
  });
}

test('a record over which the thread ends every time, of memory or otherwise, is set aside alone, and listed', async (t) => {
  const [picky, good] = [await startReceiver(t), await startReceiver(t)];
  const targets = [target('picky', picky.url), target('good', good.url)];
  const { state, spool, told, lines, deliver, close } = open(t, targets, dying);
  for (let n = 0; n < 9; n++) deliver(`r${n}`, n === 4 ? 'yes' : 'no');
  await until('every other record', () => (picky.stored.size === 8 && good.stored.size === 9 ? true : undefined));
  deliver('later');
  await until('what came later', () => (picky.stored.has('later') && good.stored.has('later') ? true : undefined));
  assert.ok(!picky.stored.has('r4'));
  assert.deepEqual(
    spool.states().map(({ name, state: at }) => [name, at]),
    [
      ['picky', 'ok'],
      ['good', 'ok'],
    ],
  );
  await close();
  assert.equal(told.get('restarted'), 4);
  assert.match(JSON.stringify(lines), /ERR_WORKER_OUT_OF_MEMORY/);
  assert.ok(lines.some(({ level, target: name, id }) => level === 'error' && name === 'picky' && id === 'r4'));
  assert.deepEqual(readSpool(state), {
    picky: { seen: 10, delivered: 9, waiting: 0, dropped: { failed: 1 } },
    good: { seen: 10, delivered: 10, waiting: 0, dropped: {} },
  });
  assert.deepEqual(listedAsDropped(state), [{ target: 'picky', id: 'r4', reason: 'failed' }]);
  assert.deepEqual([told.get('picky delivered'), told.get('picky dropped_failed')], [9, 1]);
});

test('batches that are too much for the thread get shorter, and no record is lost', async (t) => {
  const receiver = await startReceiver(t);
  const { state, told, deliver, close } = open(t, [target('large', receiver.url)], dying);
  const count = 3 * MOST;
  for (let n = 0; n < count; n++) deliver(`r${n}`);
  await until('every record', () => (receiver.stored.size === count ? true : undefined));
  await close();
  assert.ok((told.get('restarted') ?? 0) >= 2);
  assert.deepEqual(readSpool(state)['large'], { seen: count, delivered: count, waiting: 0, dropped: {} });
});

test('a target over which the thread ends whatever the record is left alone, visibly, and the others go on', async (t) => {
  const good = await startReceiver(t);
  const targets = [target('unopenable', 'http://127.0.0.1:9/'), target('good', good.url)];
  const { state, spool, told, deliver } = open(t, targets, dying);
  for (let n = 0; n < 5; n++) deliver(`r${n}`);
  const stateOf = (name: string) => spool.states().find((each) => each.name === name);
  await until('it to be left alone', () => /left alone/.test(stateOf('unopenable')?.error ?? '') || undefined);
  const ends = told.get('restarted');
  for (let n = 5; n < 10; n++) deliver(`r${n}`);
  await until('the other target', () => (good.stored.size === 10 ? true : undefined));
  assert.deepEqual([stateOf('unopenable')?.state, stateOf('unopenable')?.waiting], ['failing', 10]);
  await spool.close(AbortSignal.timeout(300), 'shutdown');
  assert.deepEqual([ends, told.get('restarted')], [4, 4]);
  assert.deepEqual(readSpool(state)['unopenable'], { seen: 10, delivered: 0, waiting: 10, dropped: {} });
});
