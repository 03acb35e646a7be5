/** A target of few large writes: records gather until its batch is full or its time is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordSink } from '../targets/sink.ts';
import { Delivery, type DeliverySource } from './delivery.ts';
import type { Batch } from './storage.ts';
import { Turns } from './turns.ts';

function scene(lingerMs: number) {
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
    batch: { records: 2, bytes: 1_000, lingerMs },
    write: async () => {},
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
  const { add, delivery, writes, next } = scene(600_000);
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
