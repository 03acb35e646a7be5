import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Ledger } from './ledger.ts';
import { openDatabase } from './schema.ts';
import { Storage, type StorageEvent } from './storage.ts';

const OPTIONS = { maxBytes: 1 << 28, maxAgeMs: 1 << 30, keepMs: 0 };
const ALL = { records: 10_000, bytes: 1 << 30 };

describe('Storage', () => {
  let state = '';
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-storage-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  function open(from = 1_000) {
    let ms = from;
    const events: StorageEvent[] = [];
    const gone: string[] = [];
    const ledger = new Ledger();
    const storage = new Storage(state, OPTIONS, {
      ledger,
      now: () => ms,
      tell: (event) => events.push(event),
      gone: (id) => gone.push(id),
    });
    storage.subscribe('a');
    const pass = (more: number): void => void (ms += more);
    return { storage, events, gone, ledger, pass };
  }

  const records = (from: number, count: number, bytes: number) =>
    Array.from({ length: count }, (_, n) => ({ id: `r${from + n}`, json: Buffer.alloc(bytes, 'x') }));

  it('sets a file aside that turns out to be damaged while it is used, and counts what was in it', () => {
    const { storage, events, ledger } = open();
    // More than is kept of the file in memory, so that it has to be read again.
    for (let n = 0; n < 80; n++) assert.equal(storage.add(records(n * 10, 10, 20_000)), true);
    const path = join(state, 'spool/spool.db');
    for (const file of [path, `${path}-wal`])
      writeFileSync(file, Buffer.alloc(statSync(file).size, 0xaa), { flag: 'r+' });
    const batch = storage.batch('a', ALL);
    assert.equal(batch, undefined);
    const [event] = events;
    assert.equal(event?.event, 'set_aside');
    assert.equal(event && 'lostRecords' in event && event.lostRecords, 800);
    assert.deepEqual(ledger.account('a'), { seen: 800, delivered: 0, dropped: { corrupt: 800 } });
    assert.equal(storage.waiting('a').records, 0);
    assert.equal(storage.add(records(1000, 1, 10)), true);
    assert.deepEqual(
      storage.batch('a', ALL)?.records.map(({ id }) => id),
      ['r1000'],
    );
    storage.close();
  });

  it('keeps the last two damaged files', () => {
    for (let n = 0; n < 4; n++) {
      const { storage, events } = open(1_000 + n);
      storage.close();
      writeFileSync(join(state, 'spool/spool.db'), `no database ${n}`.repeat(100));
      assert.equal(events.length, n === 0 ? 0 : 1);
    }
    const aside = readdirSync(join(state, 'spool')).filter((name) => name.includes('corrupt'));
    assert.deepEqual(aside.sort(), ['spool.db.corrupt-1002', 'spool.db.corrupt-1003']);
  });

  it('does not touch the tables of a newer version', () => {
    const { storage } = open();
    storage.close();
    const db = openDatabase(join(state, 'spool/spool.db'));
    db.exec('PRAGMA user_version = 1000');
    db.close();
    const again = open();
    assert.match(String(again.events[0] && 'error' in again.events[0] && again.events[0].error), /newer/);
    assert.equal(again.storage.add(records(0, 1, 10)), true);
    again.storage.close();
  });

  it('bounds what it holds in memory, and tells of each record that leaves it', () => {
    rmSync(state, { recursive: true });
    writeFileSync(state, 'no folder');
    const { storage, gone, ledger } = open();
    for (let n = 0; n < 30; n++) assert.equal(storage.add(records(n, 1, 1 << 20)), false);
    const { records: waiting, bytes } = storage.waiting('a');
    assert.ok(bytes <= 16 << 20 && waiting > 10, `${waiting} records of ${bytes} bytes`);
    assert.deepEqual(
      gone,
      records(0, 30 - waiting, 0).map(({ id }) => id),
    );
    const batch = storage.batch('a', ALL);
    assert.ok(batch);
    storage.settle('a', batch, 'delivered');
    assert.equal(gone.length, 30);
    assert.deepEqual(ledger.account('a'), { seen: 30, delivered: waiting, dropped: { spool_full: 30 - waiting } });
    storage.close();
  });

  it('is in memory until its file can be written and nothing waits outside of it', () => {
    rmSync(state, { recursive: true });
    writeFileSync(state, 'no folder');
    const { storage, events, pass } = open();
    assert.equal(storage.add(records(0, 1, 10)), false);
    assert.equal(storage.inMemory, true);
    rmSync(state);
    pass(3_000);
    assert.equal(storage.add(records(1, 1, 10)), true);
    assert.deepEqual(
      events.map(({ event }) => event),
      ['held_in_memory', 'on_disk_again'],
    );
    assert.equal(storage.inMemory, true, 'the first one still waits there');
    for (let batch = storage.batch('a', ALL); batch !== undefined; batch = storage.batch('a', ALL))
      storage.settle('a', batch, 'delivered');
    assert.equal(storage.inMemory, false);
    storage.close();
  });
});
