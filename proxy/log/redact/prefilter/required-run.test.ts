import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePattern } from './parse-pattern.ts';
import { findRun, type Run, requiredRun } from './required-run.ts';

function runOf(pattern: string): Run | undefined {
  const node = parsePattern(pattern);
  return node && requiredRun(node);
}

test('knows the longest run that every match has', () => {
  assert.equal(runOf('[0-9]{16}')?.length, 16);
  assert.equal(runOf('sk-[a-z]{8}-[0-9]{20,40}')?.length, 20);
  assert.equal(runOf('(?:x[0-9]{5})+')?.length, 5);
});

test('knows none where a match can do without', () => {
  for (const pattern of ['[0-9]{3}', '[0-9]{0,16}', '[0-9]+', '(?:[0-9]{16}|key)', '(?:[0-9]{16})?x'])
    assert.equal(runOf(pattern), undefined, pattern);
});

test('finds a run exactly where a regular expression does', () => {
  const run = runOf('[0-9🌍]{5}') as Run;
  const texts = fc.array(fc.constantFrom('1', '22', '4444', 'a', ' ', '🌍', '\uD83C'), { maxLength: 30 });
  fc.assert(
    fc.property(texts, (parts) => {
      const text = parts.join('');
      // Any surrogate may be a half of what is asked for.
      const found = /[0-9\uD800-\uDFFF]{5}/.exec(text)?.index;
      assert.equal(findRun(text, run, 0), found);
    }),
    { numRuns: 800 },
  );
});
