import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRemainder, remainderMessage } from './remainder.ts';

test('a remainder comes back as it went, without targets that have nothing left', () => {
  const left = { name: 'store', waiting: 5, dropped: 2 };
  const text = remainderMessage({ final: true, targets: [{ name: 'idle', waiting: 0, dropped: 0 }, left] });
  assert.deepEqual(parseRemainder(`${text}   `), { final: true, targets: [left] });
  assert.deepEqual(parseRemainder(remainderMessage({ final: false, targets: [] })), { final: false, targets: [] });
});

test('the most targets with the longest names fit into what a pod of twelve containers has for each', () => {
  const name = (n: number): string => `${'x'.repeat(62)}${n}`;
  const targets = Array.from({ length: 8 }, (_, n) => ({ name: name(n), waiting: 100_000, dropped: 10_000 }));
  const text = remainderMessage({ final: false, targets });
  assert.ok(Buffer.byteLength(text) <= 1024, `${Buffer.byteLength(text)} bytes`);
  assert.deepEqual(parseRemainder(text)?.targets, targets);
});

const FOREIGN: readonly [string, string][] = [
  ['nothing', ''],
  ['the end of a log', '{"level":"error","message":"Start failed"}\n{"level":"info"}'],
  ['another object', '{"targets":[]}'],
  ['one that was cut off', '{"sluiceRemainder":1,"final":true,"targets":[{"name":"store","wai'],
  ['another version', '{"sluiceRemainder":2,"final":true,"targets":[]}'],
  ['a name that no target can have', message({ name: 'a"b', waiting: 1, dropped: 0 })],
  ['fewer than no records', message({ name: 'a', waiting: -1, dropped: 0 })],
  ['records beyond belief', message({ name: 'a', waiting: 1e15, dropped: 0 })],
  ['a target twice', message({ name: 'a', waiting: 1, dropped: 0 }, { name: 'a', waiting: 1, dropped: 0 })],
  ['more targets than there can be', message(...Array.from('abcdefghi', (name) => ({ name, waiting: 1, dropped: 0 })))],
];

function message(...targets: object[]): string {
  return JSON.stringify({ sluiceRemainder: 1, final: true, targets });
}

for (const [title, text] of FOREIGN) {
  test(`parseRemainder() takes nothing from ${title}`, () => assert.equal(parseRemainder(text), undefined));
}
