/** Units: durations and quantities, as users write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBytes, parseDurationMs } from './units.ts';

test('parseDurationMs() reads each unit', () => {
  assert.equal(parseDurationMs('250ms'), 250);
  assert.equal(parseDurationMs('30s'), 30_000);
  assert.equal(parseDurationMs('5m'), 300_000);
  assert.equal(parseDurationMs('1h'), 3_600_000);
  assert.equal(parseDurationMs('0s'), 0);
});

test('parseDurationMs() refuses other forms', () => {
  for (const text of ['', '5', '1.5s', '-1s', '1d', '5s ', '1m30s'])
    assert.equal(parseDurationMs(text), undefined, text);
});

test('parseBytes() reads numbers and binary suffixes', () => {
  assert.equal(parseBytes(1024), 1024);
  assert.equal(parseBytes('64Ki'), 65_536);
  assert.equal(parseBytes('16Mi'), 16_777_216);
  assert.equal(parseBytes('1Gi'), 1_073_741_824);
});

test('parseBytes() refuses other forms', () => {
  for (const text of ['', '1M', '-1', '1.5Mi', 'Mi']) assert.equal(parseBytes(text), undefined, text);
});
