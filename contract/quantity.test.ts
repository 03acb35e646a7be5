import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareQuantities } from './quantity.ts';

test('compareQuantities() knows thousandths, fractions, decimal and binary suffixes', () => {
  for (const [small, large] of [
    ['499m', '0.5'],
    ['1', '1001m'],
    ['1023Mi', '1Gi'],
    ['1G', '1Gi'],
    ['999k', '1M'],
    ['1Ti', '1.5Ti'],
  ] as const) {
    assert.ok(compareQuantities(small, large) < 0, `${small} < ${large}`);
    assert.ok(compareQuantities(large, small) > 0, `${large} > ${small}`);
  }
  assert.equal(compareQuantities('500m', '0.5'), 0);
  assert.equal(compareQuantities('1024Mi', '1Gi'), 0);
});

test('compareQuantities() gives no order to what it does not know', () => {
  assert.ok(Number.isNaN(compareQuantities('1e3', '1')));
  assert.ok(Number.isNaN(compareQuantities('', '1')));
});
