import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { HeldTarget, HttpTarget, SpooledTarget } from '#contract/compiled-targets.ts';
import { listedAsDropped } from '../../../test/support/spool-file.ts';
import { recordKey } from '../record-key.ts';
import { BusyError, type RecordSink, RefusedError, type SinkRecord } from '../targets/sink.ts';
import { SpoolEngine } from './engine.ts';
import { sumOf } from './ledger.ts';
import type { SpoolConfig, SpoolReply, TargetReport } from './messages.ts';
import type { Careful } from './suspicion.ts';

const target = (name: string, more: Partial<HttpTarget> = {}): HttpTarget => ({
  kind: 'http',
  name,
  url: `http://${name}/`,
  timeoutMs: 1_000,
  format: 'ndjson',
  maxRecords: 100,
  maxBytes: 1 << 20,
  gzip: false,
  ...more,
});

const held = (name: string): HeldTarget => ({ kind: 'invalid', name, message: `No key for ${name}.`, spooled: true });

/** What a target does with a batch; throws to refuse it. */
type Behaviour = (ids: readonly string[], signal: AbortSignal) => void | Promise<void>;

class Rig {
  readonly behaviours = new Map<string, Behaviour>();
  /** Ids that each target took for good, in order. */
  readonly taken = new Map<string, string[]>();
  readonly writes = new Map<string, string[]>();
  readonly opened: { name: string; url: string; credentials: Record<string, string> }[] = [];
  readonly replies: SpoolReply[] = [];
  readonly reports = new Map<string, TargetReport>();
  readonly stateDirectory: string;
  /** How many sinks are yet to hang while they are opened. */
  neverOpens = 0;
  engine: SpoolEngine;
  #wake = Promise.withResolvers<void>();

  constructor(stateDirectory: string) {
    this.stateDirectory = stateDirectory;
    this.engine = this.#start();
  }

  configure(
    targets: readonly SpooledTarget[],
    more: Partial<SpoolConfig> = {},
    careful?: ReadonlyMap<string, Careful>,
  ): void {
    const bounds = { maxBytes: 1 << 24, maxAgeMs: 1 << 30, keepMs: 0 };
    this.engine.configure({ targets, credentials: new Map(), ...bounds, ...more }, careful);
  }

  add(...ids: string[]): void {
    this.engine.add(ids.map((id) => ({ id, json: Buffer.from(JSON.stringify({ id })) })));
  }

  /** Resolves when the report of the target satisfies. */
  async reported(name: string, satisfies: (report: TargetReport) => boolean): Promise<TargetReport> {
    for (;;) {
      const report = this.reports.get(name);
      if (report !== undefined && satisfies(report)) return report;
      await this.#wake.promise;
    }
  }

  async heard(kind: SpoolReply['kind']): Promise<void> {
    while (!this.replies.some((reply) => reply.kind === kind)) await this.#wake.promise;
  }

  /** Ends this engine and begins another on the same state. */
  async restart(): Promise<void> {
    await this.engine.close();
    this.reports.clear();
    this.engine = this.#start();
  }

  #start(): SpoolEngine {
    return new SpoolEngine({
      stateDirectory: this.stateDirectory,
      drainMs: 300,
      openSink: async ({ name, ...rest }, credentials): Promise<RecordSink> => {
        const url = 'url' in rest ? rest.url : '';
        if (this.neverOpens-- > 0) await new Promise(() => {});
        this.opened.push({ name, url, credentials: Object.fromEntries(credentials) });
        return {
          batch: { records: 8, bytes: 1 << 20 },
          write: (records, signal) => this.#write(name, records, signal),
          close: () => Promise.resolve(),
        };
      },
      send: (reply) => {
        this.replies.push(reply);
        if (reply.kind === 'report') for (const each of reply.report.targets) this.#check(each);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      },
    });
  }

  async #write(name: string, records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    const ids = records.map(({ id }) => id);
    for (const { id, json } of records) assert.equal((JSON.parse(json.toString()) as { id: string }).id, id);
    this.writes.set(name, [...(this.writes.get(name) ?? []), ids.join()]);
    await this.behaviours.get(name)?.(ids, signal);
    this.taken.set(name, [...(this.taken.get(name) ?? []), ...ids]);
  }

  #check(report: TargetReport): void {
    const { seen, delivered, dropped } = report.account;
    assert.equal(seen, delivered + report.waiting.records + sumOf(dropped), JSON.stringify(report));
    this.reports.set(report.name, report);
  }
}

const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, n) => `r${from + n}`);
const empty = (report: TargetReport): boolean => report.waiting.records === 0 && report.account.seen > 0;

describe('SpoolEngine', () => {
  let state = '';
  let rig: Rig;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
    rig = new Rig(state);
  });
  afterEach(async () => {
    await rig.engine.close();
    rmSync(state, { recursive: true });
  });

  it('brings every record to every target, in order, a few at a time', async () => {
    rig.configure([target('a'), target('b')]);
    rig.add(...ids(0, 20));
    for (const name of ['a', 'b']) {
      await rig.reported(name, empty);
      assert.deepEqual(rig.taken.get(name), ids(0, 20));
      assert.deepEqual(
        rig.writes.get(name)?.map((write) => write.split(',').length),
        [8, 8, 4],
      );
    }
    assert.deepEqual(
      rig.replies.find(({ kind }) => kind === 'taken'),
      { kind: 'taken', durable: true },
    );
  });

  it('lets a target that hangs, and one that fails, hold back nobody else', async () => {
    rig.behaviours.set('hangs', () => new Promise(() => {}));
    rig.behaviours.set('fails', () => Promise.reject(new Error('Cannot connect with password hunter2-secret')));
    rig.configure([target('hangs', { timeoutMs: 50 }), target('good'), target('fails')], {
      credentials: new Map([['f', 'hunter2-secret']]),
    });
    rig.add(...ids(0, 10));
    await rig.reported('good', empty);
    const { failing } = await rig.reported('fails', (report) => report.failing !== undefined);
    assert.equal(failing?.error, 'Cannot connect with password [removed]');
    assert.equal(rig.reports.get('hangs')?.waiting.records, 10);
    assert.doesNotMatch(JSON.stringify(rig.replies), /hunter2/);
    const late = await rig.reported('hangs', (report) => report.failing !== undefined);
    assert.match(late.failing?.error ?? '', /timeout/);
  });

  it('repeats until the target works again, as it asks for, and says both once', async () => {
    let tries = 0;
    rig.behaviours.set('a', () => {
      tries++;
      if (tries === 1) throw new BusyError('Too many requests', 50);
      if (tries < 4) throw new Error('503');
    });
    rig.configure([target('a')]);
    rig.add('r0');
    const { account } = await rig.reported('a', empty);
    assert.deepEqual([account.delivered, tries], [1, 4]);
    assert.equal(rig.reports.get('a')?.failing, undefined);
    const logged = rig.replies.flatMap((reply) => (reply.kind === 'log' ? [reply.message] : []));
    assert.equal(logged.length, 2, logged.join('; '));
  });

  it('finds the records that a target refuses, drops them alone, and keeps their ids', async () => {
    const poison = new Set(['r3', 'r11', 'r12']);
    rig.behaviours.set('a', (batch) => {
      if (batch.some((id) => poison.has(id))) throw new RefusedError('400: cannot parse');
    });
    rig.configure([target('a'), target('b')]);
    rig.add(...ids(0, 20));
    const { account } = await rig.reported('a', empty);
    assert.deepEqual(account, { seen: 20, delivered: 17, dropped: { refused: 3 } });
    assert.deepEqual(
      rig.taken.get('a'),
      ids(0, 20).filter((id) => !poison.has(id)),
    );
    await rig.reported('b', empty);
    assert.equal(rig.taken.get('b')?.length, 20);
    const logged = rig.replies.flatMap((reply) => (reply.kind === 'log' ? [JSON.stringify(reply.fields)] : []));
    assert.deepEqual(logged, ['{"target":"a","id":"r3","problem":"400: cannot parse"}']);
    assert.equal(rig.reports.get('a')?.failing, undefined, 'a record that is refused is no failure of the target');
  });

  it('names the state of a record that a target refused, or over which the thread ended, and not the first one', async () => {
    const stateOfX = (sequence: number) => ({
      id: recordKey({ id: 'x', sequence }),
      json: Buffer.from(JSON.stringify({ id: 'x', sequence })),
    });
    rig.configure([target('a')]);
    rig.engine.add([stateOfX(0)]);
    await rig.reported('a', ({ account }) => account.delivered === 1);
    rig.behaviours.set('a', () => {
      throw new RefusedError('413: too large');
    });
    rig.engine.add([stateOfX(3)]);
    await rig.reported('a', ({ account }) => account.dropped.refused === 1);
    rig.behaviours.set('a', () => {
      throw new Error('ECONNREFUSED');
    });
    rig.engine.add([stateOfX(4)]);
    const attempts = (): unknown[] =>
      rig.replies.flatMap((reply) => (reply.kind === 'attempting' ? (reply.attempt.id ?? []) : []));
    await rig.reported('a', ({ failing }) => failing !== undefined);
    assert.deepEqual([...new Set(attempts())], ['x', 'x/3', 'x/4']);
    for (const poison of ['x', 'x/4']) {
      await rig.restart();
      rig.configure([target('a')], {}, new Map([['a', { throughSeq: 9, poison }]]));
    }
    await rig.restart();
    assert.deepEqual(listedAsDropped(state), [
      { target: 'a', id: 'x/3', reason: 'refused' },
      { target: 'a', id: 'x/4', reason: 'failed' },
    ]);
  });

  it('shortens batches that are refused for their length, and lengthens them again', async () => {
    rig.behaviours.set('a', (batch) => {
      if (batch.length > 2 && batch.includes('r0')) throw new RefusedError('413');
    });
    rig.configure([target('a')]);
    rig.add(...ids(0, 24));
    const { account } = await rig.reported('a', empty);
    assert.equal(account.delivered, 24);
    assert.deepEqual(
      rig.writes.get('a')?.map((write) => write.split(',').length),
      [8, 4, 2, 2, 2, 2, 4, 8, 4],
    );
  });

  it('delivers what an earlier process left, and goes on counting where it was', async () => {
    rig.behaviours.set('a', () => Promise.reject(new Error('down')));
    rig.configure([target('a')]);
    rig.add(...ids(0, 10));
    await rig.reported('a', (report) => report.failing !== undefined);
    await rig.restart();
    rig.behaviours.clear();
    rig.configure([target('a')]);
    const { account, base } = await rig.reported('a', empty);
    assert.deepEqual(account, { seen: 10, delivered: 10, dropped: {} });
    assert.deepEqual(base, { seen: 10, delivered: 0, dropped: {} });
    assert.deepEqual(rig.taken.get('a'), ids(0, 10));
  });

  it('uses new credentials and a new address at once, also in the middle of a write that hangs', async () => {
    rig.behaviours.set(
      'a',
      (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    const secret = { credential: { file: 'key', header: 'x-key' } };
    rig.configure([target('a', secret)], {
      credentials: new Map([
        ['key', 'old'],
        ['other', 'x'],
      ]),
    });
    rig.add('r0');
    await rig.reported('a', ({ account }) => account.seen === 1);
    while (rig.writes.size === 0) await new Promise(setImmediate);
    rig.behaviours.clear();
    rig.configure([target('a', secret)], {
      credentials: new Map([
        ['key', 'new'],
        ['other', 'y'],
      ]),
    });
    await rig.reported('a', empty);
    rig.configure([target('a', secret)], {
      credentials: new Map([
        ['key', 'new'],
        ['other', 'z'],
      ]),
    });
    rig.add('r1');
    await rig.reported('a', ({ account }) => account.delivered === 2);
    assert.deepEqual(
      rig.opened.map(({ credentials }) => credentials),
      [{ key: 'old' }, { key: 'new' }],
    );
    assert.deepEqual(rig.taken.get('a'), ['r0', 'r1']);
  });

  it('keeps what waits, and what comes, for a target that cannot work as it is declared, over a restart too', async () => {
    rig.behaviours.set('a', () => Promise.reject(new Error('401')));
    rig.configure([target('a'), target('b')]);
    rig.add('r0', 'r1');
    await rig.reported('a', ({ failing }) => failing !== undefined);
    rig.behaviours.clear();
    const writes = rig.writes.get('a')?.length;
    rig.configure([held('a'), target('b')]);
    rig.add('r2');
    await rig.reported('b', ({ account }) => account.delivered === 3);
    await rig.restart();
    rig.configure([held('a'), target('b')]);
    rig.add('r3');
    rig.engine.flush();
    await rig.heard('flushed');
    await rig.reported('a', ({ waiting }) => waiting.records === 4);
    assert.equal(rig.writes.get('a')?.length, writes, 'nothing is tried meanwhile');
    rig.configure([target('a'), target('b')]);
    const { account } = await rig.reported('a', empty);
    assert.deepEqual(account, { seen: 4, delivered: 4, dropped: {} });
    assert.deepEqual(rig.taken.get('a'), ids(0, 4));
    const logged = rig.replies.flatMap((reply) =>
      reply.kind === 'log' ? [[reply.message, reply.fields['problem']]] : [],
    );
    const waits = ['Log target is invalid: its records wait in the spool until it is valid', 'No key for a.'];
    assert.deepEqual(logged.slice(1), [waits, waits, ['Log target is valid again: it gets what waits', undefined]]);
  });

  it('breaks off what is being written for a target that becomes invalid, and goes on with it later', async () => {
    const wrote = Promise.withResolvers<void>();
    rig.behaviours.set('a', (_, signal) => {
      wrote.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    });
    rig.configure([target('a')]);
    rig.add('r0');
    await wrote.promise;
    rig.configure([held('a')]);
    await new Promise(setImmediate);
    rig.behaviours.clear();
    rig.configure([target('a')]);
    const { account, failing } = await rig.reported('a', empty);
    assert.deepEqual([account.delivered, failing], [1, undefined]);
  });

  it('lets a removed target take what waits, for a while, and nothing new; the rest is dropped as removed', async () => {
    rig.behaviours.set('slow', () => Promise.reject(new Error('down')));
    rig.configure([target('slow'), target('quick')]);
    rig.add(...ids(0, 3));
    await rig.reported('slow', ({ failing }) => failing !== undefined);
    rig.configure([]);
    rig.add('late');
    const slow = await rig.reported('slow', ({ gone }) => gone === true);
    const quick = await rig.reported('quick', ({ gone }) => gone === true);
    assert.deepEqual(slow.account, { seen: 3, delivered: 0, dropped: { removed: 3 } });
    assert.deepEqual(quick.account, { seen: 3, delivered: 3, dropped: {} });
    await rig.restart();
    rig.configure([target('slow')]);
    rig.behaviours.clear();
    rig.add('r9');
    const { account } = await rig.reported(
      'slow',
      ({ account: { seen }, waiting }) => seen === 4 && waiting.records === 0,
    );
    assert.deepEqual(account, { seen: 4, delivered: 1, dropped: { removed: 3 } });
  });

  it('goes on with what waits for a removed target that is put back in time', async () => {
    rig.behaviours.set('a', () => Promise.reject(new Error('down')));
    rig.configure([target('a'), target('b')]);
    rig.add('r0', 'r1');
    await rig.reported('a', ({ failing }) => failing !== undefined);
    rig.configure([target('b')]);
    rig.add('between');
    rig.configure([target('a'), target('b')]);
    rig.behaviours.clear();
    rig.add('r2');
    const { account } = await rig.reported('a', ({ account: { delivered } }) => delivered === 3);
    assert.deepEqual(account, { seen: 3, delivered: 3, dropped: {} });
    assert.deepEqual(rig.taken.get('a'), ids(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 400));
    rig.add('r3');
    await rig.reported('a', ({ account: { delivered } }) => delivered === 4);
    assert.ok(!rig.replies.some((reply) => reply.kind === 'report' && reply.report.targets.some(({ gone }) => gone)));
  });

  it('drops what waits for targets that the config no longer has at the start', async () => {
    rig.behaviours.set('a', () => Promise.reject(new Error('down')));
    rig.configure([target('a')]);
    rig.add('r0');
    await rig.reported('a', ({ failing }) => failing !== undefined);
    await rig.restart();
    rig.configure([]);
    assert.deepEqual(rig.reports.get('a')?.account.dropped, { removed: 1 });
  });

  it('gives up on a sink that never opens, and takes the next one', async () => {
    rig.neverOpens = 1;
    rig.configure([target('a', { timeoutMs: 50 })]);
    rig.add('r0');
    const { failing } = await rig.reported('a', (report) => report.failing !== undefined);
    assert.match(failing?.error ?? '', /timeout/);
    await rig.reported('a', empty);
  });

  it('flushes at once, without waiting for more records', async () => {
    rig.configure([target('a')]);
    rig.add('r0');
    rig.engine.flush();
    await rig.heard('flushed');
    assert.deepEqual(rig.taken.get('a'), ['r0']);
  });

  for (const [how, damage] of [
    ['cut off', (path: string) => truncateSync(path, 5000)],
    ['emptied of its header', (path: string) => writeFileSync(path, 'no database at all'.repeat(1000))],
    [
      'overwritten in the middle',
      (path: string) => writeFileSync(path, Buffer.alloc(readFileSync(path).length - 4096, 7), { flag: 'r+' }),
    ],
  ] as const) {
    it(`sets a file aside that was ${how}, and begins a new one`, async () => {
      rig.behaviours.set('a', () => Promise.reject(new Error('down')));
      rig.configure([target('a')]);
      rig.add(...ids(0, 50));
      await rig.reported('a', ({ failing }) => failing !== undefined);
      await rig.restart();
      rig.behaviours.clear();
      damage(join(state, 'spool/spool.db'));
      rig.configure([target('a')]);
      rig.add('after');
      await rig.reported('a', ({ account }) => account.delivered === 1);
      assert.deepEqual(rig.taken.get('a'), ['after']);
      assert.ok(rig.replies.some((reply) => reply.kind === 'event' && reply.event === 'set_aside'));
      const aside = readdirSync(join(state, 'spool')).filter((name) => /^spool\.db\.corrupt-\d+$/.test(name));
      assert.equal(aside.length, 1);
      await rig.restart();
      rig.configure([target('a')]);
      assert.equal(rig.reports.get('a')?.account.delivered, 1, 'the new file is a sound one');
    });
  }

  it('holds records in memory while there is no place on the disk, delivers them, and says so once', async () => {
    writeFileSync(join(state, 'spool'), 'a file where the folder should be');
    rig.configure([target('a')]);
    rig.add('r0');
    rig.add('r1');
    await rig.reported('a', empty);
    assert.deepEqual(rig.taken.get('a'), ['r0', 'r1']);
    const gone = rig.replies.flatMap((reply) => (reply.kind === 'gone' ? reply.ids : []));
    assert.deepEqual(gone, ['r0', 'r1']);
    assert.deepEqual(
      rig.replies.filter(({ kind }) => kind === 'taken').map((reply) => 'durable' in reply && reply.durable),
      [false, false],
    );
    assert.equal(rig.replies.filter(({ kind }) => kind === 'event').length, 1);
    rmSync(join(state, 'spool'));
    mkdirSync(join(state, 'spool'));
    // It is tried again a moment later.
    while (!readdirSync(join(state, 'spool')).includes('spool.db')) {
      rig.add(`later${rig.replies.length}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { account } = await rig.reported('a', empty);
    await rig.restart();
    rig.configure([target('a')]);
    assert.deepEqual(rig.reports.get('a')?.account, account, 'what was counted in memory is written down');
  });
});
