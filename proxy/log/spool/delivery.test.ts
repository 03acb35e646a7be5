/** A target of few large writes: records gather until its batch is full or its time is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RecordSink, RefusedError } from '../targets/sink.ts';
import { Delivery } from './delivery.ts';
import type { DeliverySource } from './delivery-source.ts';
import type { Batch } from './storage.ts';
import { Turns } from './turns.ts';

/** @param isRefused by the numbers of a batch's records */
function scene(records: number, isRefused: (batch: readonly number[]) => boolean = () => false) {
  const waiting: number[] = [];
  const writes: number[][] = [];
  let wrote = Promise.withResolvers<void>();
  const source: DeliverySource = {
    waiting: () => ({ records: waiting.length, bytes: waiting.length }),
    next: ({ records }) => {
      const taken = waiting.slice(0, records);
      return { records: taken.map((seq) => ({ seq, id: String(seq), json: Buffer.from('{}') })) } as unknown as Batch;
    },
    delivered: ({ records }) => {
      waiting.splice(0, records.length);
      writes.push(records.map(({ seq }) => seq));
      wrote.resolve();
      wrote = Promise.withResolvers();
    },
    refused: () => assert.fail(),
  };
  const sink: RecordSink = {
    batch: { records, bytes: 1_000, lingerMs: 600_000 },
    write: async (batch) => {
      if (isRefused(batch.map(({ id }) => Number(id)))) throw new RefusedError('413');
    },
    close: async () => {},
  };
  const services = {
    changed: () => {},
    turns: new Turns(),
    attempting: () => {},
    attempted: () => {},
    random: () => 0,
  };
  const delivery = new Delivery(source, { open: async () => sink, writeTimeoutMs: 10_000 }, services);
  const add = (seq: number): void => {
    waiting.push(seq);
    delivery.wake();
  };
  return { add, delivery, writes, next: () => wrote.promise };
}

test('Delivery waits for a full batch while its time lasts, and for nothing once it is hurried', {
  timeout: 20_000,
}, async () => {
  const { add, delivery, writes, next } = scene(2);
  const first = next();
  add(1);
  add(2);
  await first;
  const second = next();
  add(3);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.deepEqual(writes, [[1, 2]]);
  add(4);
  await second;
  const third = next();
  add(5);
  delivery.hurry();
  await third;
  assert.deepEqual(writes, [[1, 2], [3, 4], [5]]);
  await delivery.stop();
});

test('Delivery gathers as before once what was refused for its length alone is taken in parts', {
  timeout: 20_000,
}, async (t) => {
  const { add, delivery, writes, next } = scene(8, (batch) => batch.includes(1) && batch.length > 2);
  t.after(() => delivery.stop());
  const written = async (count: number): Promise<void> => {
    while (writes.length < count) await next();
  };
  const waits = async (): Promise<void> => {
    const before = writes.length;
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.equal(writes.length, before);
  };
  for (let seq = 1; seq <= 7; seq++) add(seq);
  await written(4);
  assert.deepEqual(writes, [[1, 2], [3, 4], [5, 6], [7]], 'nothing is waited for meanwhile');
  for (const [first, last] of [
    [8, 11],
    [12, 19],
  ] as const) {
    for (let seq = first; seq < last; seq++) add(seq);
    await waits();
    const full = next();
    add(last);
    await full;
  }
  assert.deepEqual(writes.slice(4), [
    [8, 9, 10, 11],
    [12, 13, 14, 15, 16, 17, 18, 19],
  ]);
});
