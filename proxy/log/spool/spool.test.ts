import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import type { HttpTarget } from '#contract/compiled-targets.ts';
import { startReceiver } from '../../../test/support/log-targets/receiver.ts';
import { readSpool } from '../../../test/support/spool-file.ts';
import type { RecordResult } from '../../observe/meters.ts';
import { createLogger } from '../logger.ts';
import type { Dropped } from './ledger.ts';
import type { Losses } from './losses.ts';
import type { SpoolConfig, SpoolRequest } from './messages.ts';
import { Spool } from './spool.ts';
import { type SpoolThread, type SpoolThreadEvents, startSpoolThread } from './spool-thread.ts';

const http = (url: string): HttpTarget => ({
  kind: 'http',
  name: 'store',
  url,
  timeoutMs: 5_000,
  format: 'ndjson',
  maxRecords: 500,
  maxBytes: 1 << 20,
  gzip: false,
});
const configOf = (...targets: HttpTarget[]): SpoolConfig => ({
  targets,
  credentials: new Map(),
  maxBytes: 1 << 26,
  maxAgeMs: 1 << 30,
  keepMs: 5_000,
});

describe('Spool', () => {
  let state = '';
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-thread-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  /** A spool with its thread, what its metrics were told, and what became of each record. */
  async function open(t: TestContext) {
    const receiver = await startReceiver(t);
    const told = new Map<string, number>();
    const add = (name: string, count: number): void => void told.set(name, (told.get(name) ?? 0) + count);
    const lines: Record<string, unknown>[] = [];
    let thread: SpoolThread | undefined;
    const spool = new Spool(configOf(http(receiver.url)), {
      stateDirectory: state,
      services: {
        metrics: {
          logged: (_target: string, result: RecordResult, records: number) => add(result, records),
          waiting: (_target: string, records: number) => void told.set('waiting', records),
          forgetTarget: () => {},
          spoolEvent: add,
          spoolInMemory: () => {},
        },
        logger: createLogger({ write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
        isLocal: () => false,
      },
      startThread: (stateDirectory, events) => (thread = startSpoolThread(stateDirectory, events)),
    });
    const fates = new Map<string, string[]>();
    const deliver = (id: string, padding = 50): void => {
      const line = Buffer.from(`${JSON.stringify({ id, text: 'x'.repeat(padding) })}\n`);
      spool.deliver(line, (fate) => fates.set(id, [...(fates.get(id) ?? []), fate]), id);
      assertBalanced(spool);
    };
    /** A message that it cannot understand ends it. */
    const crash = (): void => thread?.post({ kind: 'add' } as never);
    return { spool, receiver, told, lines, fates, deliver, crash };
  }

  function assertBalanced(spool: Spool): void {
    const [state] = spool.states();
    if (state === undefined) return;
    const dropped = Object.values(state.dropped).reduce((sum, records) => sum + records, 0);
    assert.equal(state.seen, state.delivered + state.waiting + dropped, JSON.stringify(state));
  }

  it('settles each record once, when it is written down, and delivers it', async (t) => {
    const { spool, receiver, told, fates, deliver } = await open(t);
    for (let n = 0; n < 1000; n++) deliver(`r${n}`, n);
    await spool.close(AbortSignal.timeout(20_000), 'shutdown');
    assertBalanced(spool);
    assert.equal(receiver.stored.size, 1000);
    assert.ok([...fates.values()].every((each) => each.join() === 'delivered') && fates.size === 1000);
    assert.deepEqual([told.get('delivered'), told.get('waiting')], [1000, 0]);
    assert.deepEqual(readSpool(state)['store'], { seen: 1000, delivered: 1000, waiting: 0, dropped: {} });
  });

  it('drops the oldest when more comes than the thread can take, and writes that down too', async (t) => {
    const { spool, receiver, told, fates, deliver } = await open(t);
    for (let n = 0; n < 12_000; n++) deliver(`r${n}`, 0);
    await spool.close(AbortSignal.timeout(20_000), 'shutdown');
    const dropped = { overflow: 2_000 };
    assert.equal(receiver.stored.size, 10_000);
    assert.deepEqual(
      ['r0', 'r1999', 'r2000'].map((id) => fates.get(id)?.join()),
      ['overflow', 'overflow', 'delivered'],
    );
    assert.deepEqual([told.get('delivered'), told.get('dropped_overflow')], [10_000, 2_000]);
    assert.deepEqual(readSpool(state)['store'], { seen: 12_000, delivered: 10_000, waiting: 0, dropped });
  });

  it('loses nothing when its thread ends unasked, and starts it again', async (t) => {
    const { spool, receiver, told, lines, fates, deliver, crash } = await open(t);
    for (let n = 0; n < 3000; n++) {
      deliver(`r${n}`);
      if (n % 1000 === 500) {
        crash();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    while (receiver.stored.size < 3000) await receiver.asked();
    await spool.close(AbortSignal.timeout(20_000), 'shutdown');
    assertBalanced(spool);
    assert.ok([...fates.values()].every((each) => each.join() === 'delivered') && fates.size === 3000);
    assert.ok((told.get('restarted') ?? 0) >= 1);
    assert.ok(lines.some(({ message }) => String(message).startsWith('The spool thread ended')));
    assert.equal(told.get('delivered'), 3000, 'nothing is counted twice over a restart');
    assert.deepEqual(readSpool(state)['store'], { seen: 3000, delivered: 3000, waiting: 0, dropped: {} });
  });

  /** A spool whose thread is the test: what it is told, and its answers. */
  function openAsThread(t: TestContext) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let now = 1_000;
    // However long the machine takes from one line to the next.
    t.mock.method(performance, 'now', () => now);
    const pass = (ms: number): void => {
      now += ms;
      t.mock.timers.tick(ms);
    };
    const posted: string[] = [];
    const parcels: { readonly ids: readonly string[]; readonly number: number; readonly lost: Losses }[] = [];
    const thread = {
      running: true,
      post: (request: SpoolRequest) => {
        posted.push(request.kind === 'add' ? request.ids.join() : request.kind);
        if (request.kind === 'add') parcels.push(request);
      },
      hold: () => {},
      terminate: () => Promise.resolve(),
    };
    const nothing = (): void => {};
    const counted: string[] = [];
    const logged = (_target: string, result: string, records: number): void => {
      if (records > 0) counted.push(`${result} ${records}`);
    };
    const metrics = { logged, waiting: nothing, forgetTarget: nothing, spoolEvent: nothing, spoolInMemory: nothing };
    const lines: string[] = [];
    let events: SpoolThreadEvents | undefined;
    const spool = new Spool(configOf(http('http://127.0.0.1:9/')), {
      stateDirectory: state,
      services: { metrics, logger: createLogger({ write: (line) => lines.push(line) }), isLocal: () => false },
      startThread: (_directory, heard) => {
        events = heard;
        return thread as unknown as SpoolThread;
      },
    });
    const fates: string[] = [];
    const deliver = (id: string, bytes = 3): void =>
      spool.deliver(Buffer.alloc(bytes, 32), (fate) => fates.push(`${id} ${fate}`), id);
    const taken = (durable = true): void => events?.reply({ kind: 'taken', durable });
    const crash = (): void => {
      events?.ended(new Error('out of memory'));
      events?.started();
    };
    const report = (seen: number, waiting: number, dropped: Dropped = {}): void => {
      const account = { seen, delivered: 0, dropped };
      const base = { seen: 0, delivered: 0, dropped: {} };
      const targets = [{ name: 'store', account, base, waiting: { records: waiting, bytes: 10 * waiting } }];
      events?.reply({ kind: 'report', report: { targets, stripped: 0, inMemory: false } });
    };
    return { spool, thread, lines, posted, parcels, fates, counted, deliver, taken, crash, report, pass };
  }

  it('drops a batch over which its thread ended three times, and goes on with the next one', (t) => {
    const { posted, fates, deliver, taken, crash, pass } = openAsThread(t);
    deliver('poison');
    pass(25);
    deliver('good');
    for (let n = 0; n < 3; n++) crash();
    taken();
    const added = posted.filter((each) => each !== 'configure');
    assert.deepEqual(added, ['poison', 'poison', 'poison', 'good']);
    assert.deepEqual(fates, ['poison failed', 'good delivered']);
  });

  it('writes down what comes together at once, and what follows it closely together', (t) => {
    const { spool, posted, deliver, taken, pass } = openAsThread(t);
    for (const id of ['first', 'beside']) deliver(id);
    pass(24);
    assert.deepEqual(posted, []);
    pass(1);
    assert.deepEqual(posted, ['first,beside']);
    taken();
    for (const id of ['second', 'third']) deliver(id);
    pass(249);
    assert.equal(posted.length, 1);
    pass(1);
    assert.deepEqual(posted.slice(1), ['second,third']);
    for (const id of ['while', 'busy']) deliver(id);
    taken();
    assert.equal(posted.length, 2);
    pass(250);
    assert.deepEqual(posted.slice(2), ['while,busy']);
    taken();
    deliver('long', 1 << 20);
    assert.deepEqual(posted.slice(3), ['long']);
    taken();
    deliver('before');
    spool.configure(configOf());
    assert.deepEqual(posted.slice(4), ['before', 'configure']);
  });

  it('sends losses that the thread could not write down again with the next records, and not by themselves', (t) => {
    const { spool, parcels, deliver, taken, pass } = openAsThread(t);
    spool.lose('overflow', 'early');
    pass(250);
    taken(false);
    pass(250);
    spool.lose('failed', 'late');
    pass(250);
    deliver('r0');
    pass(250);
    taken();
    deliver('r1');
    pass(250);
    taken();
    assert.deepEqual(
      parcels.map(({ ids, number, lost }) => [number, ids, lost.counts, lost.latest.map(({ id }) => id)]),
      [
        [1, [], { overflow: 1 }, ['early']],
        [2, ['r0'], { overflow: 1, failed: 1 }, ['early', 'late']],
        [3, ['r1'], {}, []],
      ],
    );
  });

  it('counts what its thread held in memory once when that ends, and tells the next thread', (t) => {
    const { spool, parcels, fates, counted, deliver, taken, crash, report, pass } = openAsThread(t);
    for (const id of ['a', 'b']) deliver(id);
    pass(250);
    taken(false);
    report(2, 2);
    const lost = { seen: 2, delivered: 0, waiting: 0, dropped: { failed: 2 } };
    crash();
    assert.partialDeepStrictEqual(spool.states(), [lost]);
    report(0, 0);
    assert.partialDeepStrictEqual(spool.states(), [lost]);
    deliver('c');
    pass(250);
    assert.deepEqual(parcels.at(-1)?.lost.counts, { failed: 2 });
    taken();
    report(3, 1, { failed: 2 });
    crash();
    report(1, 0, { failed: 1 });
    report(2, 0, { failed: 2 });
    assert.deepEqual(fates, ['a failed', 'b failed', 'c delivered']);
    assert.deepEqual(counted, ['dropped_failed 2', 'dropped_failed 1', 'dropped_failed 1'], 'the last file is another');
  });

  it('tells the thread which records gave way before it could take them', (t) => {
    const { parcels, deliver, taken, pass } = openAsThread(t);
    deliver('with the thread');
    pass(250);
    for (let n = 0; n < 10_003; n++) deliver(`r${n}`);
    taken();
    pass(250);
    assert.deepEqual(parcels.at(-1)?.lost, {
      counts: { overflow: 3 },
      latest: ['r0', 'r1', 'r2'].map((id) => ({ id, reason: 'overflow' })),
    });
  });

  it('warns at the end of what could not be written down', async (t) => {
    const { spool, thread, lines, deliver } = openAsThread(t);
    // The time that closing takes holds no process.
    const alive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(alive));
    for (const id of ['a', 'b']) deliver(id);
    thread.running = false;
    await spool.close(AbortSignal.abort(), 'shutdown');
    assert.equal(lines.length, 1);
    const [closed] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(closed?.['message'], 'Log closed; what could not be written down is dropped');
    assert.deepEqual([closed?.['level'], closed?.['cutOff']], ['warn', 2]);
    assert.deepEqual(closed?.['targets'], { store: { delivered: 0, waiting: 0, dropped: { shutdown: 2 } } });
  });

  it('says before it is closed what else was lost', async (t) => {
    const { spool, thread, lines } = openAsThread(t);
    const alive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(alive));
    for (const id of ['a', 'b', 'c']) spool.lose('overflow', id);
    thread.running = false;
    await spool.close(AbortSignal.abort(), 'shutdown');
    const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      said.map(({ message, records }) => [message, records]),
      [
        ['Log target lost records', 1],
        ['Log target lost records', 2],
        ['Log closed', undefined],
      ],
    );
  });

  it('leaves what it cannot write down in time to the journal', async (t) => {
    const { spool, told, fates, deliver } = await open(t);
    for (let n = 0; n < 5; n++) deliver(`r${n}`);
    await spool.close(AbortSignal.abort(), 'shutdown');
    deliver('late');
    assert.equal(fates.get('late')?.join(), 'shutdown');
    const outcomes = [...fates.values()].map((each) => each.join());
    assert.equal(outcomes.length, 6);
    assert.equal((told.get('dropped_shutdown') ?? 0) + (readSpool(state)['store']?.seen ?? 0), 6);
  });
});
