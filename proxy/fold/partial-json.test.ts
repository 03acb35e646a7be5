import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePartialJson } from './partial-json.ts';

const CUT: readonly [string, unknown][] = [
  ['{"a": 1}', { a: 1 }],
  ['{"city": "Kö', { city: 'Kö' }],
  ['{"city": "Köln", "wh', { city: 'Köln' }],
  ['{"city": "Köln", "when": ', { city: 'Köln' }],
  ['{"a": [1, 2, {"b": "c"', { a: [1, 2, { b: 'c' }] }],
  ['{"a": "x\\', {}],
  ['{"a": "say \\"hi\\", }', { a: 'say "hi", }' }],
  ['{"a": tru', {}],
  ['{', {}],
  ['', undefined],
  ['nonsense', undefined],
];

for (const [text, value] of CUT)
  test(`parsePartialJson() reads ${JSON.stringify(text)} as far as it is certain`, () => {
    assert.deepEqual(parsePartialJson(text), value);
  });

test('parsePartialJson() makes an object of every beginning of an object', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (object, at) => {
      const text = JSON.stringify(object);
      assert.deepEqual(parsePartialJson(text), JSON.parse(text));
      const cut = parsePartialJson(text.slice(0, 1 + (at % text.length)));
      assert.ok(typeof cut === 'object' && cut !== null && !Array.isArray(cut));
    }),
    { numRuns: 500 },
  );
});
