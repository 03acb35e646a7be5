import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { seeded } from '../../../test/support/clients/seeded.ts';
import { Ledger, sumOf } from './ledger.ts';
import type { NewRecord } from './rows.ts';
import { openDatabase } from './schema.ts';
import { SpoolStore, type StoreOptions } from './store.ts';

const ROOMY: StoreOptions = { maxBytes: 1 << 30, maxAgeMs: 1 << 30, keepMs: 0 };
/** The tables without any row. */
const BARE_BYTES = 16 * 4096;
/** A row can begin a page of its table, one of its index, and one above each of them. */
const SPLIT_BYTES = 4 * 4096;
const ALL = { records: 1000, bytes: 1 << 30 };

function record(id: string, bodyBytes = 100): NewRecord {
  const body = { bytes: bodyBytes, truncated: false, text: 'x'.repeat(bodyBytes) };
  return { id, json: Buffer.from(JSON.stringify({ id, request: { body }, response: { body } })) };
}

/** A store on a file that can be closed and opened again as another process would. */
class Reopened {
  readonly path: string;
  readonly options: StoreOptions;
  ledger = new Ledger();
  db: DatabaseSync;
  store: SpoolStore;

  constructor(path: string, options: StoreOptions) {
    this.path = path;
    this.options = options;
    this.db = openDatabase(path);
    this.store = new SpoolStore(this.db, options, this.ledger);
  }

  restart(): void {
    this.store.close();
    this.ledger = new Ledger();
    this.db = openDatabase(this.path);
    this.store = new SpoolStore(this.db, this.options, this.ledger);
  }
}

function assertBalanced({ ledger, store }: Reopened, target: string): void {
  const { seen, delivered, dropped } = ledger.account(target);
  assert.equal(
    seen,
    delivered + store.waiting(target).records + sumOf(dropped),
    `${target}: ${JSON.stringify(dropped)}`,
  );
}

/** Target, id, moment, reason and error of each dropped record, oldest first. */
function listed({ db }: Reopened): unknown[][] {
  const rows = db.prepare('SELECT target, id, at, reason, error FROM dropped ORDER BY number').all();
  return rows.map((row) => Object.values(row));
}

describe('SpoolStore', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = (options: Partial<StoreOptions> = {}): Reopened =>
    new Reopened(join(folder, `${Math.random()}.db`), { ...ROOMY, ...options });

  it('accounts for every record of every target through any course of events and restarts', () => {
    const target = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ do: fc.constant('add'), n: fc.integer({ min: 1, max: 4 }), size: fc.nat(6000) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constantFrom('deliver', 'refuse'), target, n: fc.integer({ min: 1, max: 5 }) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constantFrom('subscribe', 'finish', 'subscribe', 'finish', 'remove'), target }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart', 'again', 'later', 'upkeep') }) },
    );
    const run = (steps: readonly { do: string; n?: number; size?: number; target?: string }[]): void => {
      const spool = open({ maxBytes: 40_000, maxAgeMs: 1000, keepMs: 100 });
      const serving = new Set<string>();
      const wereAway = new Set<string>();
      const expected = new Map<string, number>();
      let now = 1_000_000;
      let added = 0;
      let last: NewRecord[] = [];
      for (const { do: what, n = 0, size = 0, target: name = '' } of steps) {
        const { store } = spool;
        switch (what) {
          case 'add':
            last = Array.from({ length: n }, () => record(`r${added++}`, size));
            store.add(last, now);
            for (const each of serving) expected.set(each, (expected.get(each) ?? 0) + n);
            break;
          case 'again':
            // Only those that are still there are known: others were dropped, and a dropped one may come again as new.
            last = last.slice(-1);
            if (store.usedBytes === 0) break;
            store.add(last, now);
            break;
          case 'deliver':
          case 'refuse': {
            const batch = store.batch(name, { records: what === 'refuse' ? 1 : n, bytes: 1 << 20 });
            store.settle(name, batch.at(-1)?.seq ?? 0, what === 'refuse' ? 'refused' : 'delivered');
            break;
          }
          case 'subscribe':
            store.subscribe(name);
            serving.add(name);
            break;
          case 'finish':
            store.finish(name);
            serving.delete(name);
            wereAway.add(name);
            break;
          case 'remove':
            store.remove(name, now);
            serving.delete(name);
            break;
          case 'restart':
            spool.restart();
            // What came in while a target was away is for it after all.
            for (const each of wereAway) expected.set(each, spool.ledger.account(each).seen);
            wereAway.clear();
            // What was about to leave goes on as if it were to stay; the engine takes it off again.
            for (const each of spool.store.targets) if (!serving.has(each)) spool.store.remove(each, now);
            break;
          case 'later':
            now += 700;
            break;
          case 'upkeep':
            store.upkeep(now);
            break;
        }
        for (const each of ['a', 'b', 'c']) {
          assertBalanced(spool, each);
          if (what !== 'again')
            assert.equal(spool.ledger.account(each).seen, expected.get(each) ?? 0, `seen of ${each}`);
          else expected.set(each, spool.ledger.account(each).seen);
        }
        assert.ok(spool.store.takenBytes <= 40_000 + SPLIT_BYTES, `${spool.store.takenBytes} bytes`);
      }
      for (const each of ['a', 'b', 'c']) {
        const { store } = spool;
        for (let last = store.batch(each, ALL).at(-1); last; last = store.batch(each, ALL).at(-1))
          store.settle(each, last.seq, 'delivered');
        assert.deepEqual(store.waiting(each), { records: 0, bytes: 0 });
        assertBalanced(spool, each);
      }
      spool.store.close();
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 60, size: 'max' }), run), { numRuns: 60, seed: 20_261_121 });
  });

  it('knows a record that comes again by its id, until it was removed', () => {
    const spool = open({ keepMs: 1000 });
    spool.store.subscribe('a');
    spool.store.add([record('1'), record('1'), record('2')], 0);
    spool.restart();
    spool.store.add([record('2')], 0);
    assert.equal(spool.ledger.account('a').seen, 2);
    spool.store.settle('a', spool.store.batch('a', ALL).at(-1)?.seq ?? 0, 'delivered');
    assert.deepEqual(spool.store.upkeep(999), []);
    spool.store.add([record('2')], 999);
    assert.equal(spool.ledger.account('a').seen, 2, 'delivered, and still known');
    assert.deepEqual(spool.store.upkeep(1000), ['1', '2']);
    assert.equal(spool.store.usedBytes, 0);
  });

  it('keeps each target at its own place, and gives one that comes later nothing of what was before', () => {
    const { store, ledger } = open();
    store.subscribe('a');
    store.add([record('1'), record('2')], 0);
    store.subscribe('b');
    store.add([record('3')], 0);
    const ids = (target: string): string[] => store.batch(target, ALL).map(({ id }) => id);
    assert.deepEqual([ids('a'), ids('b')], [['1', '2', '3'], ['3']]);
    store.settle('b', store.batch('b', ALL).at(-1)?.seq ?? 0, 'delivered');
    store.add([record('4')], 0);
    assert.deepEqual([ids('a'), ids('b')], [['1', '2', '3', '4'], ['4']]);
    assert.deepEqual(ledger.account('b'), { seen: 2, delivered: 1, dropped: {} });
  });

  it('gives batches within both limits, and a single longer record on its own', () => {
    const { store } = open();
    store.subscribe('a');
    store.add([record('1', 10_000), record('2', 10), record('3', 10), record('4', 10)], 0);
    const ids = (records: number, bytes: number): string =>
      store
        .batch('a', { records, bytes })
        .map(({ id }) => id)
        .join();
    assert.equal(ids(10, 100), '1');
    assert.equal(ids(2, 1 << 20), '1,2');
    const { length } = record('2', 10).json as Buffer;
    const [first] = store.batch('a', { records: 1, bytes: 1 });
    store.settle('a', first?.seq ?? 0, 'delivered');
    assert.equal(ids(10, 2 * length), '2,3');
  });

  it('makes room: first what everybody took, then the oldest bodies, then the oldest records', () => {
    const { store, ledger } = open({ maxBytes: 90_000, keepMs: 1 << 30 });
    store.subscribe('a');
    store.subscribe('b');
    const texts = (): string[] =>
      store.batch('a', ALL).map(({ id, json }) => {
        const { request } = JSON.parse(json.toString()) as {
          request: { body: { text?: string; truncated: boolean; bytes: number } };
        };
        assert.equal(request.body.truncated, request.body.text === undefined);
        assert.equal(request.body.bytes, 8000);
        return `${id}${request.body.text === undefined ? ' stripped' : ''}`;
      });
    store.add(
      ['1', '2', '3', '4', '5'].map((id) => record(id, 8000)),
      0,
    );
    const [first] = store.batch('a', ALL);
    for (const target of ['a', 'b']) store.settle(target, first?.seq ?? 0, 'delivered');
    store.add([record('6', 8000)], 0);
    assert.deepEqual(texts(), ['2', '3', '4', '5', '6'], 'kept after its delivery, as long as there was room');
    store.add([record('7', 8000)], 0);
    assert.deepEqual(texts(), ['2 stripped', '3', '4', '5', '6', '7']);
    assert.equal(store.stripped, 1);
    const id = (n: number): string => String(n).padStart(3, '0');
    for (let n = 8; n < 900; n++) store.add([record(id(n), 8000)], 0);
    const left = texts();
    assert.ok(left.length < 600 && left.at(-1) === id(899), left.join());
    assert.ok(
      left.slice(0, -2).every((text) => text.endsWith('stripped')),
      left.join(),
    );
    const { seen, delivered, dropped } = ledger.account('b');
    assert.deepEqual([seen, delivered, dropped], [899, 1, { spool_full: 899 - 1 - left.length }]);
    assert.equal(
      store.waiting('b').bytes,
      store.batch('b', ALL).reduce((sum, { json }) => sum + json.length, 0),
    );
  });

  it('keeps the file within its bound, however long its records are and however short they become', () => {
    for (const [least, most] of [
      [100, 1_900],
      [600, 1_300],
      [950, 1_050],
      [250, 4_500],
      [5_000, 60_000],
    ] as const) {
      const spool = open({ maxBytes: 1 << 19 });
      const random = seeded(20_261_121);
      spool.store.subscribe('a');
      for (let n = 0; spool.store.waiting('a').records === n; n += 20) {
        const lengths = Array.from({ length: 20 }, () => least + random.below(most - least));
        spool.store.add(
          lengths.map((length, index) => record(`019a0000-0000-7000-8000-${n + index}`, length)),
          0,
        );
      }
      spool.store.close();
      const { size } = statSync(spool.path);
      assert.ok(size <= (1 << 19) + BARE_BYTES + SPLIT_BYTES, `${size} bytes of records from ${least} to ${most}`);
    }
  });

  it('takes a record that is longer than all the room there is', () => {
    const { store, ledger } = open({ maxBytes: 0 });
    store.subscribe('a');
    store.add([record('1'), record('2')], 0);
    assert.deepEqual(
      store.batch('a', ALL).map(({ id }) => id),
      ['2'],
    );
    assert.deepEqual(ledger.account('a').dropped, { spool_full: 1 });
  });

  it('goes on with what waits for a target that was away for a while, and leaves out what came meanwhile', () => {
    const { store, ledger } = open();
    const add = (...names: string[]): void =>
      store.add(
        names.map((id) => record(id)),
        0,
      );
    const ids = (target: string): string[] => store.batch(target, ALL).map(({ id }) => id);
    for (const target of ['a', 'b']) store.subscribe(target);
    add('1', '2');
    for (const name of ['3', '5']) {
      store.finish('a');
      add(name);
      store.subscribe('a');
      add(`${Number(name) + 1}`);
    }
    // Away once more, and nothing came.
    store.finish('a');
    store.subscribe('a');
    assert.deepEqual(ids('b'), ['1', '2', '3', '4', '5', '6']);
    assert.deepEqual([ids('a'), store.waiting('a').records], [['1', '2'], 4]);
    for (const left of [['4'], ['6'], []]) {
      store.settle('a', store.batch('a', ALL).at(-1)?.seq ?? 0, 'delivered');
      assert.deepEqual(ids('a'), left);
    }
    assert.deepEqual(ledger.account('a'), { seen: 4, delivered: 4, dropped: {} });
    assert.deepEqual(store.waiting('a'), { records: 0, bytes: 0 });
  });

  it('drops what waited too long for those that did not take it, and for nobody else', () => {
    const { store, ledger } = open({ maxAgeMs: 1000 });
    store.subscribe('slow');
    store.subscribe('good');
    store.add([record('1')], 0);
    store.add([record('2')], 500);
    store.settle('good', store.batch('good', ALL).at(-1)?.seq ?? 0, 'delivered');
    store.upkeep(1001);
    assert.deepEqual(ledger.account('slow').dropped, { expired: 1 });
    assert.deepEqual(ledger.account('good'), { seen: 2, delivered: 2, dropped: {} });
    assert.deepEqual(
      store.batch('slow', ALL).map(({ id }) => id),
      ['2'],
    );
  });

  it('changes nothing at all when a transaction fails', () => {
    const path = join(folder, 'full.db');
    const db = openDatabase(path);
    const ledger = new Ledger();
    const store = new SpoolStore(db, ROOMY, ledger);
    store.subscribe('a');
    store.add([record('1')], 0);
    db.exec(`PRAGMA max_page_count = ${Number(db.prepare('PRAGMA page_count').get()?.['page_count']) + 2}`);
    const before = [ledger.account('a'), store.waiting('a'), store.usedBytes];
    assert.throws(() => store.add([record('2', 10), record('3', 100_000)], 0), /full/);
    assert.deepEqual([ledger.account('a'), store.waiting('a'), store.usedBytes], before);
    store.add([record('4', 10)], 0);
    assert.deepEqual(
      store.batch('a', ALL).map(({ id }) => id),
      ['1', '4'],
    );
    store.close();
  });

  it('keeps the ids of the latest dropped records, with the reason, in a small part of its room', () => {
    const spool = open();
    for (let n = 0; n < 1_010; n++) {
      spool.store.listDropped({ target: 'a', id: `r${n}`, atEpochMs: n, reason: 'refused', error: '400' });
    }
    assert.deepEqual([listed(spool).length, listed(spool)[0]], [1_000, ['a', 'r10', 10, 'refused', '400']]);
    spool.store.subscribe('a');
    spool.store.subscribe('b');
    spool.store.add([record('1'), record('2')], 5);
    spool.store.settle('b', 1, 'delivered');
    spool.store.options = { ...ROOMY, maxAgeMs: 10 };
    spool.store.upkeep(20);
    const expired = [
      ['a', '1', 20, 'expired', ''],
      ['a', '2', 20, 'expired', ''],
      ['b', '2', 20, 'expired', ''],
    ];
    assert.deepEqual(listed(spool).slice(-4), [['a', 'r1009', 1009, 'refused', '400'], ...expired]);
    spool.store.options = { ...ROOMY, maxBytes: 64 * 1024 };
    spool.store.finish('b');
    for (let n = 0; n < 300; n++) spool.store.add([record(`full${n}`, 9_000)], 30);
    const { dropped } = spool.ledger.account('a');
    assert.equal(listed(spool).length, 32);
    const last = (dropped.spool_full ?? 0) - 1;
    assert.deepEqual(listed(spool).at(-1), ['a', `full${last}`, 30, 'spool_full', '']);
    assert.deepEqual(listed(spool)[0], ['a', `full${last - 31}`, 30, 'spool_full', '']);
    spool.store.close();
  });

  it('keeps the ids of refused records that an older version wrote down', () => {
    const spool = open();
    spool.db.exec(`DROP TABLE dropped; PRAGMA user_version = 2;
      CREATE TABLE refused (number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT, id TEXT, at INTEGER, error TEXT);
      INSERT INTO refused (target, id, at, error) VALUES ('a', '1', 7, '413'), ('b', '2', 8, '400')`);
    spool.restart();
    assert.deepEqual(listed(spool), [
      ['a', '1', 7, 'refused', '413'],
      ['b', '2', 8, 'refused', '400'],
    ]);
    spool.store.close();
  });

  it('lists what a target that left was not given, and what was lost on the way to the spool', () => {
    const spool = open();
    for (const target of ['a', 'b', 'leaving']) spool.store.subscribe(target);
    spool.store.add([record('1'), record('2')], 1);
    spool.store.finish('leaving');
    const latest = [{ id: '3/1', reason: 'overflow' } as const, { id: '4', reason: 'failed' } as const];
    const parcel = { run: 'one', number: 1, lost: { counts: { overflow: 8, failed: 1 }, latest } };
    for (const again of [false, true]) spool.store.add([], again ? 9 : 2, parcel);
    spool.store.settle('a', 1, 'delivered');
    spool.store.remove('a', 3);
    spool.store.remove('leaving', 4);
    assert.deepEqual(listed(spool), [
      ['a', '3/1', 2, 'overflow', ''],
      ['a', '4', 2, 'failed', ''],
      ['b', '3/1', 2, 'overflow', ''],
      ['b', '4', 2, 'failed', ''],
      ['a', '2', 3, 'removed', ''],
      ['leaving', '1', 4, 'removed', ''],
      ['leaving', '2', 4, 'removed', ''],
    ]);
    assert.deepEqual(spool.ledger.account('a').dropped, { overflow: 8, failed: 1, removed: 1 });
    assert.deepEqual(spool.ledger.account('leaving').dropped, { removed: 2 });
  });

  it('gives the room of delivered records back to the file system', () => {
    const spool = open();
    spool.store.subscribe('a');
    for (let n = 0; n < 100; n++) spool.store.add([record(String(n), 20_000)], 0);
    spool.store.checkpoint();
    const full = statSync(spool.path).size;
    spool.store.settle('a', Number.MAX_SAFE_INTEGER, 'delivered');
    spool.store.upkeep(1);
    for (let n = 0; n < 20; n++) spool.store.shrink();
    spool.store.checkpoint();
    assert.ok(full > 4_000_000 && statSync(spool.path).size < 100_000, `${full} -> ${statSync(spool.path).size}`);
  });

  it('keeps the room of delivered records for those that come in, as long as some do', () => {
    const spool = open();
    spool.store.subscribe('a');
    const sizes = new Set<number>();
    for (let second = 1; second <= 20; second++) {
      for (let n = 0; n < 20; n++) spool.store.add([record(`${second} ${n}`, 20_000)], second);
      spool.store.settle('a', Number.MAX_SAFE_INTEGER, 'delivered');
      spool.store.upkeep(second);
      spool.store.shrink();
      spool.store.checkpoint();
      sizes.add(statSync(spool.path).size);
    }
    assert.equal(sizes.size, 1, [...sizes].join());
  });

  it('reads a page once for targets at the same place, and anew what became shorter meanwhile', () => {
    const { store } = open({ maxBytes: 60_000 });
    for (const target of ['a', 'b']) store.subscribe(target);
    store.add([record('1', 8000), record('2', 8000), record('3', 8000)], 0);
    const read = (target: string, records: number): (Buffer | undefined)[] =>
      store.batch(target, { records, bytes: 1 << 20 }).map(({ json }) => json);
    const [first, second] = read('a', 3);
    const again = read('b', 2);
    assert.ok(first !== undefined && again[0] === first && again[1] === second && again.length === 2);
    store.settle('a', 1, 'delivered');
    assert.equal(read('a', 1)[0], second);
    for (let n = 4; n < 9; n++) store.add([record(String(n), 8000)], 0);
    assert.ok(store.stripped > 0);
    assert.ok((read('b', 1)[0]?.length ?? Number.NaN) < first.length / 2);
  });
});
