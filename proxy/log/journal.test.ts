import assert from 'node:assert/strict';
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { JOURNAL_FILE, Journal, type JournalMark } from './journal.ts';
import { readEntries } from './journal-entries.ts';

const opened = (id: string, target = '/v1/messages'): JournalMark => ({
  mark: 'opened',
  id,
  atEpochMs: 1000,
  method: 'POST',
  target,
  dialect: 'anthropic',
});

const ended = (id: string): JournalMark => ({ mark: 'ended', id, end: 'complete', status: 200, afterMs: 12 });

/** A volume with so much room: a write that does not fit leaves its beginning, and then fails. */
function volume(t: TestContext, roomBytes: number) {
  const { writeSync } = fs;
  const disk = { roomBytes, writes: 0 };
  t.mock.method(fs, 'writeSync', (descriptor: number, bytes: Buffer, from: number) => {
    disk.writes += 1;
    const most = Math.min(bytes.length - from, disk.roomBytes);
    if (most === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    disk.roomBytes -= most;
    return writeSync(descriptor, bytes, from, most);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return disk;
}

describe('Journal', () => {
  let state = '';
  let failures: unknown[] = [];
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
    failures = [];
  });
  afterEach(() => rmSync(state, { recursive: true, force: true }));
  const open = (): Journal => new Journal(state, (error) => failures.push(error));
  const file = (): string => join(state, JOURNAL_FILE);

  it('has the opening line in the file when now() returns', () => {
    const journal = open();
    journal.recover();
    journal.now(opened('a'));
    assert.match(readFileSync(file(), 'utf8'), /"id":"a"/);
    journal.close();
  });

  it('recovers what was not closed, with all that its marks tell, until it is closed', () => {
    const first = open();
    first.recover();
    for (const id of ['a', 'b', 'c']) first.now(opened(id));
    first.now({ mark: 'matched', id: 'b', route: 'opus', model: 'm', agent: 'x', stream: true });
    first.soon({ mark: 'ended', id: 'c', end: 'complete', status: 200, afterMs: 12 });
    first.soon({ mark: 'closed', id: 'a' });
    first.flush();
    const b = {
      id: 'b',
      atEpochMs: 1000,
      method: 'POST',
      target: '/v1/messages',
      dialect: 'anthropic',
      route: 'opus',
      model: 'm',
      agent: 'x',
      stream: true,
    };
    for (let start = 0; start < 2; start++) {
      const next = open();
      const [one, two, ...more] = next.recover();
      assert.deepEqual(one, b);
      assert.deepEqual([two?.id, two?.end, two?.status, two?.afterMs, more.length], ['c', 'complete', 200, 12, 0]);
      next.close();
    }
    const last = open();
    last.recover();
    last.soon({ mark: 'closed', id: 'b' });
    last.soon({ mark: 'closed', id: 'c' });
    last.close();
    assert.equal(open().recover().length, 0);
    assert.deepEqual(failures, []);
  });

  it('tells the sequence of the last record that left while the stream ran, and rewrites no line of those before', () => {
    const journal = open();
    journal.recover();
    journal.now(opened('a'));
    for (let sequence = 0; sequence < 50; sequence++) journal.now({ mark: 'partial', id: 'a', sequence });
    journal.soon({ mark: 'ended', id: 'a', end: 'complete', status: 200, afterMs: 12 });
    journal.close();
    assert.equal(readFileSync(file(), 'utf8').split('\n').length, 4);
    const [entry] = open().recover();
    assert.deepEqual([entry?.partial, entry?.end], [49, 'complete']);
    assert.deepEqual(failures, []);
  });

  it('stays bounded: it is rewritten with what is open', () => {
    const journal = open();
    journal.recover();
    journal.now(opened('stays'));
    for (let i = 0; i < 3000; i++) {
      journal.now(opened(`n${i}`, `/v1/messages?${'x'.repeat(4000)}`));
      journal.soon({ mark: 'closed', id: `n${i}` });
    }
    assert.ok(statSync(file()).size < 6 * 1024 * 1024, String(statSync(file()).size));
    assert.deepEqual(
      open()
        .recover()
        .map(({ id }) => id),
      ['stays', 'n2999'],
    );
    assert.deepEqual(failures, []);
    journal.close();
  });

  it('makes good what a full disk kept from it as soon as there is room, without waiting for its end', (t) => {
    const disk = volume(t, 4096);
    const journal = open();
    journal.recover();
    for (const id of ['ends', 'stays']) journal.now(opened(id));
    disk.roomBytes = 20;
    journal.now(opened('opens'));
    journal.now(ended('ends'));
    journal.now({ mark: 'closed', id: 'ends' });
    assert.equal(failures.length, 3);
    disk.roomBytes = 1024 ** 2;
    journal.now(opened('later'));
    const left = readEntries(readFileSync(file(), 'utf8')).entries.map(({ id }) => id);
    assert.deepEqual(left, ['stays', 'opens', 'later']);
    disk.writes = 0;
    for (const id of ['opens', 'later']) journal.now(ended(id));
    assert.deepEqual([disk.writes, failures.length], [2, 3], 'it is whole again: a line is a line');
  });

  it('asks a disk on which single lines fit for a rewrite every few seconds, not at every line', (t) => {
    const disk = volume(t, 1024 ** 2);
    let nowMs = performance.now();
    const journal = open();
    journal.recover();
    t.mock.method(performance, 'now', () => nowMs);
    for (let i = 0; i < 50; i++) journal.now(opened(`n${i}`));
    disk.roomBytes = 0;
    journal.now(opened('missed'));
    failures = [];
    for (let i = 0; i < 5; i++) {
      disk.roomBytes = 300;
      journal.now(ended(`n${i}`));
    }
    assert.equal(failures.length, 1);
    assert.ok(!existsSync(`${file()}.next`), 'what was begun takes no room');
    const before = readEntries(readFileSync(file(), 'utf8')).entries;
    assert.equal(before.filter(({ end }) => end === 'complete').length, 5, 'lines that fit are there');
    disk.roomBytes = 1024 ** 2;
    nowMs += 6000;
    journal.now(ended('n5'));
    const { entries } = readEntries(readFileSync(file(), 'utf8'));
    assert.deepEqual([entries.length, failures.length], [51, 1]);
  });

  it('does not follow a link, and says so', () => {
    const outside = join(state, 'outside');
    writeFileSync(outside, 'precious');
    symlinkSync(outside, file());
    const journal = open();
    journal.recover();
    journal.now(opened('a'));
    assert.equal(readFileSync(outside, 'utf8'), 'precious');
  });

  it('reads any text without throwing, and passes over torn lines', () => {
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(
        '{"mark":"opened","id":"a","atEpochMs":1,"method":"GET","target":"/","dialect":"raw"}',
        '{"mark":"closed","id":"a"}',
        '{"mark":"ended","id":"a","end":"nonsense"}',
        '{"mark":"opened","id":"b","atEp',
      ),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { entries, lines: kept } = readEntries(lines.join('\n'));
        for (const entry of entries) assert.equal(entry.id, 'a');
        assert.equal(kept.size, entries.length);
      }),
      { numRuns: 200, seed: 20_261_121 },
    );
  });
});
