import assert from 'node:assert/strict';
import test from 'node:test';
import { backoffMs, forbidsRetry, isRefusal } from './retry.ts';

test('isRefusal() counts overload and failures of the upstream, not the mistakes of the client', () => {
  for (const status of [429, 500, 502, 503, 504, 529]) assert.ok(isRefusal(status, []), String(status));
  for (const status of [200, 400, 401, 404, 408, 413, 501]) assert.ok(!isRefusal(status, []), String(status));
  assert.ok(isRefusal(409, ['X-Should-Retry', 'true']));
  assert.ok(!isRefusal(200, ['x-should-retry', 'true']));
  assert.ok(forbidsRetry(['x-should-retry', 'false']) && !forbidsRetry([]));
});

test('backoffMs() doubles up to eight seconds, less up to a quarter', () => {
  assert.deepEqual(
    [1, 2, 3, 9].map((n) => backoffMs(n, [], 0, 0)),
    [500, 1000, 2000, 8000],
  );
  assert.equal(backoffMs(1, [], 0.999999, 0) > 374, true);
});

test('backoffMs() does what the upstream asks for', () => {
  assert.equal(backoffMs(1, ['Retry-After-Ms', '120', 'retry-after', '9'], 0, 0), 120);
  assert.equal(backoffMs(1, ['retry-after', '2'], 0, 0), 2000);
  assert.equal(backoffMs(1, ['retry-after', 'Thu, 01 Jan 1970 00:00:10 GMT'], 0, 4000), 6000);
  assert.equal(backoffMs(1, ['retry-after', 'soon'], 0, 0), 500);
});
