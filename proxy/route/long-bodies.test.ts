import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteBudget } from './long-bodies.ts';

test('ByteBudget gives what is left, and takes it back', () => {
  const budget = new ByteBudget(10);
  budget.take(6);
  assert.throws(() => budget.take(5), { kind: 'at_limit' });
  budget.take(4);
  budget.give(6);
  budget.take(6);
});
