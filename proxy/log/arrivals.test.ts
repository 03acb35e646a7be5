import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrivals, recordArrivals } from './arrivals.ts';
import { BlockPool } from './blocks.ts';

function recorded(arrivals: Arrivals, receivedAt: number) {
  const soFar = arrivals.soFar();
  return soFar && recordArrivals(soFar, receivedAt);
}

test('arrivals: the first delta counts from the request, later ones from the chunk before, without adding up rounding', () => {
  const arrivals = new Arrivals(new BlockPool(512));
  for (let i = 0; i < 5; i++) arrivals.push(1100 + i * 10.4, 7 + i);
  assert.deepEqual(recorded(arrivals, 1000), { deltasMs: [100, 10, 11, 10, 11], bytes: [7, 8, 9, 10, 11] });
});

test('arrivals: what is known so far stays as it is when more arrives', () => {
  const arrivals = new Arrivals(new BlockPool(512));
  arrivals.push(5, 1);
  const soFar = arrivals.soFar() ?? assert.fail();
  arrivals.push(9, 2);
  assert.deepEqual(recordArrivals(soFar, 0), { deltasMs: [5], bytes: [1] });
});

test('arrivals: nothing arrived, or only empty chunks', () => {
  const arrivals = new Arrivals(new BlockPool(512));
  assert.equal(recorded(arrivals, 0), undefined);
  arrivals.push(5, 0);
  assert.equal(recorded(arrivals, 0), undefined);
});

test('arrivals: a stream of any length keeps its bytes and its duration, at a bounded number of entries', () => {
  const arrivals = new Arrivals(new BlockPool(512));
  const chunks = 50_001;
  for (let i = 0; i < chunks; i++) arrivals.push(i * 3, 10);
  const { deltasMs = [], bytes = [], merged } = recorded(arrivals, 0) ?? {};
  assert.equal(merged, 8);
  assert.ok(bytes.length <= 8192 && bytes.length === deltasMs.length);
  assert.equal(
    bytes.reduce((sum, one) => sum + one, 0),
    chunks * 10,
  );
  assert.equal(
    deltasMs.reduce((sum, one) => sum + one, 0),
    (chunks - 1) * 3,
  );
  // Each entry but the last holds as many chunks as it says, and came when its last one did.
  assert.deepEqual([bytes[0], bytes[1], deltasMs[0], deltasMs[1]], [80, 80, 21, 24]);
  assert.equal(bytes.at(-1), (chunks % 8) * 10);
});

test('arrivals: streams side by side show no number of each other, in memory that is used again', () => {
  const pool = new BlockPool(512);
  for (let round = 0; round < 3; round++) {
    const lengths = [1, 63, 64, 65, 128, 300];
    const streams = lengths.map(() => new Arrivals(pool));
    for (let i = 0; i < 300; i++) {
      for (const [n, arrivals] of streams.entries())
        if (i < (lengths[n] ?? 0)) arrivals.push(1000 * n + 3 * i, n + i + 1);
    }
    for (const [n, arrivals] of streams.entries()) {
      const length = lengths[n] ?? 0;
      const expected = {
        deltasMs: Array.from({ length }, (_, i) => (i === 0 ? 1000 * n : 3)),
        bytes: Array.from({ length }, (_, i) => n + i + 1),
      };
      assert.deepEqual(recorded(arrivals, 0), expected);
      arrivals.release();
      arrivals.release();
      assert.equal(arrivals.soFar(), undefined);
    }
    assert.equal(pool.heldBytes, 64 * 512, 'all of it but the next one was let go of');
  }
});
