import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRecordKey, recordKey } from './record-key.ts';

const ID = '019aa5f0-2c4e-7c1a-9b3e-5d1f0a2b3c4d';

test('recordKey() names each state of a record by a name of its own, and the first by the id alone', () => {
  assert.equal(recordKey({ id: ID }), ID);
  assert.equal(recordKey({ id: ID, sequence: 0 }), ID);
  assert.equal(recordKey({ id: ID, sequence: 12 }), `${ID}/12`);
});

test('readRecordKey() reads what recordKey() wrote, and takes everything else for an id', () => {
  for (const sequence of [0, 1, 12]) {
    assert.deepEqual(readRecordKey(recordKey({ id: ID, sequence })), { id: ID, sequence });
  }
  for (const id of ['', 'a/', 'a/b', 'a/-1', 'a/1.5']) assert.deepEqual(readRecordKey(id), { id, sequence: 0 });
});
