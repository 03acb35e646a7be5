import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Block, BlockPool } from './blocks.ts';

const BLOCK_BYTES = 4096;
const ARENA_BYTES = 64 * BLOCK_BYTES;

function takeMany(pool: BlockPool, count: number): Block[] {
  return Array.from({ length: count }, () => pool.take());
}

test('BlockPool gives nobody a block that somebody has', () => {
  const pool = new BlockPool(BLOCK_BYTES);
  const held = takeMany(pool, 200);
  for (const [n, block] of held.entries()) pool.write(block, 0, Buffer.alloc(BLOCK_BYTES, n), 0, BLOCK_BYTES);
  const [first = 0] = held;
  pool.setWord(first, 1023, 0x01020304);
  assert.equal(pool.word(first, 1023), 0x01020304);
  assert.deepEqual(
    [...pool.part(first, 4088, 4096)],
    [0, 0, 0, 0, 4, 3, 2, 1],
    'words are in the order of the machine',
  );
  for (const [n, block] of held.entries()) assert.ok(pool.part(block, 0, 4092).every((byte) => byte === n));
  for (const block of held.splice(50, 100)) pool.giveBack(block);
  const again = takeMany(pool, 100);
  assert.equal(new Set([...held, ...again]).size, 200);
  assert.equal(pool.heldBytes, 4 * ARENA_BYTES, 'what came back was used again');
});

test('BlockPool lets go of what was taken at the busiest time, but for what the next one needs', () => {
  const pool = new BlockPool(BLOCK_BYTES);
  const held = takeMany(pool, 1000);
  assert.equal(pool.heldBytes, 16 * ARENA_BYTES);
  for (const block of held) pool.giveBack(block);
  assert.equal(pool.heldBytes, ARENA_BYTES);
  for (let round = 0; round < 3; round++) {
    const some = takeMany(pool, 130);
    assert.equal(pool.heldBytes, 3 * ARENA_BYTES);
    for (const block of some.toReversed()) pool.giveBack(block);
    assert.equal(pool.heldBytes, ARENA_BYTES);
  }
});
