import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { recordKey } from '../record-key.ts';
import { Ledger, sumOf } from './ledger.ts';
import type { NewRecord } from './rows.ts';
import { openDatabase } from './schema.ts';
import { SpoolStore, type StoreOptions } from './store.ts';

const OPTIONS: StoreOptions = { maxBytes: 1 << 30, maxAgeMs: 1 << 30, keepMs: 0 };
const ALL = { records: 1000, bytes: 1 << 30 };

function state(id: string, sequence: number): NewRecord {
  return { id: recordKey({ id, sequence }), json: Buffer.from(JSON.stringify({ id, sequence })) };
}

describe('SpoolStore: states of running streams', () => {
  let folder = '';
  let ledger = new Ledger();
  let gone: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-states-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function open(name: string): SpoolStore {
    ledger = new Ledger();
    gone = [];
    const database = openDatabase(join(folder, `${name}.db`));
    return new SpoolStore(database, OPTIONS, ledger, undefined, (id) => gone.push(id));
  }

  const waiting = (store: SpoolStore, target: string): unknown[] =>
    store.batch(target, ALL).map(({ id, sequence }) => [id, sequence ?? 0]);

  it('lets a newer state take the place of those that wait, and of no other record', () => {
    const store = open('a');
    store.subscribe('t');
    store.add([state('x', 0), state('x1', 3), state('y', 2), state('x', 1)], 0);
    store.add([state('x', 2), state('x', 10)], 0);
    assert.deepEqual(waiting(store, 't'), [
      ['x1', 3],
      ['y', 2],
      ['x', 10],
    ]);
    assert.deepEqual(gone, ['x', 'x/1', 'x/2']);
    assert.deepEqual(ledger.account('t'), { seen: 6, delivered: 0, dropped: { superseded: 3 } });
    assert.equal(
      store.waiting('t').bytes,
      store.batch('t', ALL).reduce((sum, { json }) => sum + json.length, 0),
    );
    store.close();
  });

  it('takes nothing from what a target has, and nothing from one that leaves the config', () => {
    const store = open('a');
    for (const target of ['quick', 'slow', 'leaving']) store.subscribe(target);
    store.add([state('x', 0)], 0);
    store.settle('quick', store.batch('quick', ALL)[0]?.seq ?? 0, 'delivered');
    store.add([state('x', 1)], 0);
    assert.deepEqual(ledger.account('quick'), { seen: 2, delivered: 1, dropped: {} });
    assert.deepEqual(ledger.account('slow'), { seen: 2, delivered: 0, dropped: { superseded: 1 } });
    store.finish('leaving');
    store.add([state('x', 2)], 0);
    assert.deepEqual(waiting(store, 'leaving'), [['x', 1]], 'the newest that is for it');
    assert.deepEqual(waiting(store, 'slow'), [
      ['x', 1],
      ['x', 2],
    ]);
    store.close();
  });

  it('accounts for a state that is on its way while a newer one comes in', () => {
    const store = open('a');
    store.subscribe('t');
    store.add([state('w', 0), state('x', 0)], 0);
    const sent = store.batch('t', ALL);
    store.add([state('x', 1)], 0);
    store.settle('t', sent.at(-1)?.seq ?? 0, 'delivered');
    assert.deepEqual(waiting(store, 't'), [['x', 1]], 'it was not taken along');
    assert.deepEqual(ledger.account('t'), { seen: 3, delivered: 1, dropped: { superseded: 1 } });
    store.close();
  });

  it('brings every target the newest state of each record, in rising order, through any course of events and restarts', () => {
    const target = fc.constantFrom('a', 'b');
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('add'), id: fc.constantFrom('x', 'y', 'z') }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('send', 'settle'), target }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart') }) },
    );
    let runs = 0;
    const run = (steps: readonly { do: string; id?: string; target?: string }[]): void => {
      const name = `run-${runs++}`;
      let store = open(name);
      for (const each of ['a', 'b']) store.subscribe(each);
      const newest = new Map<string, number>();
      const got = new Map<string, number>();
      const sent = new Map<string, number>();
      const settle = (to: string): void => store.settle(to, sent.get(to) ?? 0, 'delivered');
      const send = (to: string, limit: number): void => {
        for (const { id, sequence = 0, seq } of store.batch(to, { ...ALL, records: limit })) {
          assert.ok(sequence >= (got.get(`${to} ${id}`) ?? 0), `${to} got ${id} ${sequence} after a newer one`);
          got.set(`${to} ${id}`, sequence);
          sent.set(to, seq);
        }
      };
      for (const { do: what, id = '', target: to = '' } of steps) {
        if (what === 'add') {
          newest.set(id, (newest.get(id) ?? -1) + 1);
          store.add([state(id, newest.get(id) ?? 0)], 0);
        } else if (what === 'send') send(to, 2);
        else if (what === 'settle') settle(to);
        else {
          store.close();
          store = open(name);
        }
        for (const each of ['a', 'b']) {
          const { seen, delivered, dropped } = ledger.account(each);
          assert.equal(seen, delivered + store.waiting(each).records + sumOf(dropped));
          assert.equal(store.waiting(each).records, store.batch(each, ALL).length);
        }
      }
      for (const each of ['a', 'b']) {
        send(each, 1000);
        settle(each);
        for (const [id, sequence] of newest) assert.equal(got.get(`${each} ${id}`), sequence, `${each} ${id}`);
        assert.equal(store.waiting(each).records, 0);
      }
      store.close();
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), run), { numRuns: 60, seed: 20_261_121 });
  });
});
