import assert from 'node:assert/strict';
import test from 'node:test';
import { exchangeId } from './exchange-id.ts';

test('exchangeId() gives different UUIDs of version 7 that sort by time', () => {
  const ids = Array.from({ length: 1000 }, (_, index) => exchangeId(1_700_000_000_000 + index));
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(Number.parseInt((ids[0] ?? '').replace('-', '').slice(0, 12), 16), 1_700_000_000_000);
});
