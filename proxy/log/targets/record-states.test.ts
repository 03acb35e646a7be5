import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchKey } from './batch-key.ts';
import { recordAttributes } from './otlp-attributes.ts';
import type { SinkRecord } from './sink.ts';

const json = Buffer.from('{}');
const plain: SinkRecord = { id: 'a', json };
const state = (sequence: number): SinkRecord => ({ id: 'a', sequence, json });

test('batchKey() tells states of a record apart, or a receiver would take the whole one for a part that it has', () => {
  assert.equal(batchKey([plain]), 'a');
  assert.equal(new Set([0, 1, 2].map((sequence) => batchKey([state(sequence)]))).size, 3);
  assert.equal(new Set([0, 1, 2].map((sequence) => batchKey([plain, state(sequence)]))).size, 3);
  assert.equal(batchKey([plain, state(2)]), batchKey([plain, state(2)]));
});

test('recordAttributes() gives each state an uid of its own, and names the record that they are of', () => {
  const of = (record: object): Record<string, unknown> =>
    Object.fromEntries(recordAttributes(record).map(({ key, value }) => [key, Object.values(value)[0]]));
  const running = of({ id: 'a', sequence: 1, partial: true, status: 200 });
  const whole = of({ id: 'a', sequence: 2, end: 'complete', status: 200 });
  assert.deepEqual([running['log.record.uid'], whole['log.record.uid']], ['a/1', 'a/2']);
  assert.deepEqual([running['sluice.record.id'], whole['sluice.record.id']], ['a', 'a']);
  assert.deepEqual([running['sluice.sequence'], running['sluice.partial']], ['1', true]);
  assert.equal(running['error.type'], undefined, 'it runs, which is no error');
  const silent = of({ id: 'a', end: 'complete', status: 200 });
  assert.deepEqual(
    [silent['log.record.uid'], silent['sluice.record.id'], silent['sluice.sequence']],
    ['a', undefined, undefined],
  );
});
