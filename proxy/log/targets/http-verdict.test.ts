/** Retry-After, in both of its forms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from './http-verdict.ts';

const NOW = Date.parse('2026-11-21T10:00:00Z');
for (const [value, ms] of [
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  ['999999', 999_999_000],
  ['Sat, 21 Nov 2026 10:00:05 GMT', 5_000],
  ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
  ['soon', undefined],
] as const) {
  test(`retryAfterMs() of ${value ?? 'nothing'} is ${ms}`, () => {
    assert.equal(retryAfterMs(value, NOW), ms);
  });
}
