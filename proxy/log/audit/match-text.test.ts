import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchText } from './match-text.ts';

test('matchText: words, phrases and beginnings, quoted so that nothing is an operator', () => {
  for (const [typed, expected] of [
    ['heron lake', '"heron" "lake"'],
    ['"grey heron" lake*', '"grey heron" "lake"*'],
    ['"grey her"*', '"grey her"*'],
    ['a AND NOT(b) OR c:d', '"a" "AND" "NOT(b)" "OR" "c:d"'],
    ['"open phrase', '"open phrase"'],
    ['x"y"', '"x" "y"'],
    ['ab* abc* "ab"*', '"ab" "abc"* "ab"'],
    ["don't -- stop", '"don\'t" "stop"'],
    ['鷺 😀', '"鷺" "😀"'],
  ] as const) {
    assert.equal(matchText(typed), expected, typed);
  }
  for (const nothing of ['', '  ', '---', '"', '""', '*', '"*"*', '( )'])
    assert.equal(matchText(nothing), undefined, nothing);
});

test('matchText: bounded', () => {
  assert.equal(matchText('x '.repeat(10_000))?.split(' ').length, 32);
});

test('a NUL ends no query before its quote', () => {
  assert.equal(matchText('a\0b'), '"a" "b"');
  assert.equal(matchText('hello\0'), '"hello"');
});
