import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_LEVELS, nestsTooDeep } from './nesting.ts';

const lists = (levels: number, inner = ''): string => '['.repeat(levels) + inner + ']'.repeat(levels);

test('nestsTooDeep() takes as many levels as are allowed, and not one more', () => {
  assert.equal(nestsTooDeep(lists(MOST_LEVELS)), false);
  assert.equal(nestsTooDeep(lists(MOST_LEVELS + 1)), true);
  const objects = `${'{"a":'.repeat(MOST_LEVELS + 1)}1${'}'.repeat(MOST_LEVELS + 1)}`;
  assert.equal(nestsTooDeep(objects), true);
});

test('nestsTooDeep() counts levels, not brackets: those beside each other, and those in strings, are none', () => {
  assert.equal(nestsTooDeep(`[${Array(2000).fill('[{}]').join()}]`), false);
  assert.equal(nestsTooDeep(`["${'['.repeat(2000)}"]`), false);
  // The quote is escaped, so that the brackets are still in the string; then the backslash is, so that they are not.
  assert.equal(nestsTooDeep(String.raw`["\"${'['.repeat(2000)}"]`), false);
  assert.equal(nestsTooDeep(String.raw`["\\",${lists(2000)}]`), true);
});
