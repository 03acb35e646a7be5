import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { diskProblem } from './disk-problem.ts';

function failureOf(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('it did not fail');
}

test('diskProblem: what SQLite says of a full disk, with the way out', () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE t (x); PRAGMA max_page_count = 2');
  const error = failureOf(() => db.exec('INSERT INTO t VALUES (zeroblob(100000))'));
  db.close();
  assert.equal(diskProblem(error), 'database or disk is full; free space on that volume, or make it larger');
});

test('diskProblem: an extended code of SQLite is its primary one', () => {
  const error = Object.assign(new Error('disk I/O error'), { errcode: 10 | (3 << 8) });
  assert.equal(diskProblem(error), 'disk I/O error; look whether the volume is read-only or failing');
});

test('diskProblem: a file that SQLite cannot open', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const error = failureOf(() => new DatabaseSync(join(folder, 'missing/a.db')));
  assert.match(diskProblem(error), /^unable to open database file; look whether its folder/);
});

test('diskProblem: what the file system says, as it may be shown', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  assert.match(diskProblem(full), /^ENOSPC: no space left on device, write; free space/);
  assert.match(diskProblem(full, 'shown'), /^shown; free space/);
  assert.equal(diskProblem(new Error('something else')), 'something else');
  assert.equal(diskProblem('no error'), 'no error');
});
