import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK_BYTES, type Block, BlockPool } from './blocks.ts';

const ARENA_BYTES = 64 * BLOCK_BYTES;

function takeMany(pool: BlockPool, count: number): Block[] {
  return Array.from({ length: count }, () => pool.take());
}

test('BlockPool gives nobody a block that somebody has', () => {
  const pool = new BlockPool();
  const held = takeMany(pool, 200);
  for (const [n, { bytes }] of held.entries()) bytes.fill(n);
  for (const [n, { bytes }] of held.entries()) assert.ok(bytes.length === BLOCK_BYTES && bytes.every((b) => b === n));
  for (const block of held.splice(50, 100)) pool.giveBack(block);
  const again = takeMany(pool, 100);
  assert.equal(new Set([...held, ...again].map(({ bytes }) => bytes)).size, 200);
  assert.equal(pool.heldBytes, 4 * ARENA_BYTES, 'what came back was used again');
});

test('BlockPool lets go of what was taken at the busiest time, but for what the next one needs', () => {
  const pool = new BlockPool();
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
