import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, Suspicion } from './suspicion.ts';

const batch = (throughSeq: number, records: number): Attempt => ({
  id: `r${throughSeq - records + 1}`,
  records,
  throughSeq,
});
const opening: Attempt = { records: 0, throughSeq: 0 };

/** The thread ends while it serves these. */
function ends(suspicion: Suspicion, attempts: Readonly<Record<string, Attempt>>): void {
  for (const [target, attempt] of Object.entries(attempts)) suspicion.attempting(target, attempt);
  suspicion.ended();
}

const carefulOf = (suspicion: Suspicion) => Object.fromEntries(suspicion.careful());

test('Suspicion: two ends in a row make a target be served carefully, one does not', () => {
  const suspicion = new Suspicion();
  ends(suspicion, { a: batch(100, 100), b: batch(7, 7) });
  assert.deepEqual(carefulOf(suspicion), {});
  suspicion.attempting('b', batch(7, 7));
  suspicion.attempted('b', true);
  ends(suspicion, { a: batch(100, 100), b: batch(9, 2) });
  assert.deepEqual(carefulOf(suspicion), { a: { throughSeq: 100, mostRecords: 50 } });
});

test('Suspicion: a record is set aside only when the thread ended over it twice while nobody else was served', () => {
  const suspicion = new Suspicion();
  for (let n = 0; n < 2; n++) ends(suspicion, { a: batch(10, 10) });
  ends(suspicion, { a: batch(1, 1), b: batch(50, 3) });
  ends(suspicion, { a: batch(1, 1) });
  assert.equal(suspicion.careful().get('a')?.poison, undefined);
  ends(suspicion, { a: batch(1, 1) });
  assert.deepEqual(suspicion.careful().get('a'), { throughSeq: 10, poison: 'r1' });
  // It was: the next one in line is another.
  suspicion.attempting('a', batch(2, 1));
  assert.deepEqual(suspicion.careful().get('a'), { throughSeq: 10 });
});

test('Suspicion: a target that hangs or is down while another one ends the thread is not to blame', () => {
  const suspicion = new Suspicion();
  for (let n = 0; n < 2; n++) ends(suspicion, { hanging: batch(10, 10), deadly: batch(4, 4) });
  suspicion.attempting('hanging', batch(1, 1));
  suspicion.attempted('hanging', false);
  ends(suspicion, { deadly: batch(1, 1) });
  assert.deepEqual([...suspicion.careful().keys()], ['deadly']);
});

test('Suspicion: when every record passes alone, together they were too much', () => {
  const suspicion = new Suspicion();
  for (let n = 0; n < 2; n++) ends(suspicion, { a: batch(3, 3) });
  for (let seq = 1; seq <= 3; seq++) {
    suspicion.attempting('a', batch(seq, 1));
    suspicion.attempted('a', true);
  }
  assert.deepEqual(carefulOf(suspicion), { a: { mostRecords: 2 } });
});

test('Suspicion: over opening, or record after record, the target is left alone; one that it takes makes it well again', () => {
  const unopenable = new Suspicion();
  for (let n = 0; n < 4; n++) ends(unopenable, { a: opening });
  assert.equal(unopenable.careful().get('a')?.pauseMs, 600_000);

  const deadly = new Suspicion();
  for (let n = 0; n < 2; n++) ends(deadly, { a: batch(9, 9) });
  for (const seq of [1, 2, 3, 4]) for (let n = 0; n < 2; n++) ends(deadly, { a: batch(seq, 1) });
  assert.equal(deadly.careful().get('a')?.pauseMs, 600_000);
  assert.notEqual(deadly.careful().get('a')?.poison, 'r4', 'the fourth is not given up');
  deadly.attempting('a', batch(4, 1));
  deadly.attempted('a', true);
  assert.deepEqual(deadly.careful().get('a'), { throughSeq: 9, mostRecords: 5 });
});
