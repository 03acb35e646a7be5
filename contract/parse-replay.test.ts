import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAudit } from './parse-audit.ts';
import { readReplay } from './parse-replay.ts';

function problems(
  read: (value: unknown, place: { path: string; problems: { path: string; message: string }[] }) => unknown,
  value: unknown,
): string[] {
  const place = { path: 'x', problems: [] };
  read(value, place);
  return place.problems.map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`);
}

test('readReplay(): a path below the state directory and a speed', () => {
  const place = { path: '', problems: [] };
  assert.deepEqual(readReplay({ path: 'a/..b/c.ndjson', speed: 0.5 }, place), { path: 'a/..b/c.ndjson', speed: 0.5 });
  assert.deepEqual(place.problems, []);
  for (const path of ['/etc/x', '../x', 'a/../../x', '..', 'a\0b']) {
    assert.deepEqual(problems(readReplay, { path, speed: 1 }), [
      `x.path: Expected a relative path without "..", got "${path}"`,
    ]);
  }
  for (const speed of [-1, 1001, Number.NaN, '1', undefined]) {
    assert.deepEqual(problems(readReplay, { path: 'a', speed }), ['x.speed: Expected a number from 0 to 1000']);
  }
  assert.equal(problems(readReplay, 7).length > 0, true);
});

test('readAudit(): bounds are whole numbers', () => {
  assert.deepEqual(problems(readAudit, { maxBytes: 1, maxAgeMs: 2 }), []);
  assert.equal(problems(readAudit, { maxBytes: -1, maxAgeMs: '2' }).length, 2);
});
