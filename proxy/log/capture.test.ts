/** The capture keeps a body's first bytes, and counts and digests all of them, however the body was cut into chunks. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { BodyCapture, CaptureBudget } from './capture.ts';

/** Sizes below, at and above what is copied together, and around a block's end. */
const SIZES = [1, 141, 0, 4095, 2, 8191, 8192, 100, 70_000, 3, 5000, 5000];

function chunksOf(rounds: number): Buffer[] {
  return Array.from({ length: rounds * SIZES.length }, (_, i) => Buffer.alloc(SIZES[i % SIZES.length] ?? 0, i));
}

function digest(chunks: readonly Buffer[]): string {
  return createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
}

test('BodyCapture keeps small and large chunks in their order', () => {
  const chunks = chunksOf(20);
  const capture = new BodyCapture(Number.MAX_SAFE_INTEGER, new CaptureBudget(Number.MAX_SAFE_INTEGER));
  for (const chunk of chunks) capture.push(chunk);
  assert.deepEqual(capture.bytes(), Buffer.concat(chunks));
  assert.equal(capture.sha256(), digest(chunks));
});

test('BodyCapture goes on rightly after its bytes were asked for', () => {
  const chunks = chunksOf(3);
  const capture = new BodyCapture(Number.MAX_SAFE_INTEGER, new CaptureBudget(Number.MAX_SAFE_INTEGER));
  for (const chunk of chunks) {
    capture.push(chunk);
    capture.bytes();
  }
  assert.deepEqual(capture.bytes(), Buffer.concat(chunks));
});

test('BodyCapture keeps no more than its limit and a chunk, and digests the whole all the same', () => {
  const chunks = chunksOf(20);
  const capture = new BodyCapture(10_000, new CaptureBudget(Number.MAX_SAFE_INTEGER));
  for (const chunk of chunks) capture.push(chunk);
  const whole = Buffer.concat(chunks);
  assert.equal(capture.sizeBytes, whole.length);
  assert.ok(capture.keptBytes >= 10_000 && capture.keptBytes < 10_000 + 70_000);
  assert.deepEqual(capture.bytes(), whole.subarray(0, capture.keptBytes));
  assert.equal(capture.sha256(), digest(chunks));
});

test('BodyCapture gives its part of the budget back', () => {
  const budget = new CaptureBudget(1000);
  const capture = new BodyCapture(5000, budget);
  for (let i = 0; i < 20; i++) capture.push(Buffer.alloc(141, i));
  assert.equal(capture.keptBytes, 7 * 141);
  capture.release();
  assert.equal(budget.leftBytes, 1000);
});

test('BodyCapture.snapshot() holds what there was, whatever comes after it, and leaves the capture as it was', () => {
  for (const limitBytes of [Number.MAX_SAFE_INTEGER, 10_000]) {
    const chunks = chunksOf(3);
    const capture = new BodyCapture(limitBytes, new CaptureBudget(Number.MAX_SAFE_INTEGER));
    const snapshots = chunks.map((chunk) => {
      capture.push(chunk);
      return capture.snapshot();
    });
    for (const [index, snapshot] of snapshots.entries()) {
      const whole = Buffer.concat(chunks.slice(0, index + 1));
      assert.equal(snapshot.sizeBytes, whole.length);
      assert.ok(snapshot.keptBytes === whole.length || snapshot.keptBytes >= limitBytes);
      assert.deepEqual(snapshot.bytes(), whole.subarray(0, snapshot.keptBytes));
      assert.equal(snapshot.sha256(), digest(chunks.slice(0, index + 1)));
    }
    assert.equal(capture.sha256(), digest(chunks));
    const last = capture.snapshot();
    capture.release();
    assert.equal(last.bytes().length, last.keptBytes, 'also when the capture is over');
  }
});

test('BodyCapture shows no byte of another body in memory that is used again', () => {
  const budget = new CaptureBudget(Number.MAX_SAFE_INTEGER);
  for (let round = 0; round < 50; round++) {
    const open = [0, 1, 2].map((n) => ({ capture: new BodyCapture(1e9, budget), chunks: [] as Buffer[], n }));
    const snapshots: [ReturnType<BodyCapture['snapshot']>, Buffer][] = [];
    for (let i = 0; i < 30; i++) {
      for (const { capture, chunks, n } of open) {
        const chunk = Buffer.alloc((i * 131 * (n + 1) + round) % 9000, round * 3 + n);
        chunks.push(chunk);
        capture.push(chunk);
        if (i % 10 === n) snapshots.push([capture.snapshot(), Buffer.concat(chunks)]);
      }
    }
    for (const { capture, chunks, n } of open) {
      const whole = Buffer.concat(chunks);
      const copy = new Uint8Array(capture.keptBytes + 10).fill(7);
      capture.copyTo(copy, 5);
      assert.deepEqual(Buffer.from(copy), Buffer.concat([Buffer.alloc(5, 7), whole, Buffer.alloc(5, 7)]));
      const kept = n === 0 ? capture.bytes() : whole;
      capture.release();
      capture.release();
      assert.deepEqual(kept, whole);
      assert.equal(capture.keptBytes, 0);
    }
    for (const [snapshot, whole] of snapshots) assert.deepEqual(snapshot.bytes(), whole);
  }
  assert.equal(budget.blocks.heldBytes, 64 * 4096, 'all of it but the next one was let go of');
});
