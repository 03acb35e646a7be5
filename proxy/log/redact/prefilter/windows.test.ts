import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { findMatches } from '../find-matches.ts';
import { windowsOf } from './windows.ts';

/** What the engine finds alone: the oracle. */
function byEngine(engine: RE2JS, text: string): [number, number][] {
  const found: [number, number][] = [];
  const matcher = engine.matcher(text);
  while (matcher.find()) if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()]);
  return found;
}

const CHARACTERS = [
  'a',
  'b',
  'k',
  's',
  'K',
  'S',
  '0',
  '7',
  '_',
  '-',
  ' ',
  '@',
  '.',
  '\n',
  '\t',
  '\v',
  '\r',
  '\u00A0',
  '\u017F',
  '\u212A',
  'é',
  '\u2028',
  '🌍',
  '🌎',
  '\uD83C',
  '\uDF0D',
  '\\',
  '"',
  ']',
];

const ONE = fc.constantFrom(
  ...Array.from('abksS0_- @é"'),
  '🌍',
  '\\.',
  '\\-',
  '\\\\',
  '\\x61',
  '\\n',
  '\\t',
  '\\v',
  '\\]',
  '\u212A',
  '\uD83C',
);
/** Few, so that long matches are met. */
const NARROW = fc.constantFrom('a', 'b', '0', '@');
const named = fc.constantFrom('\\d', '\\D', '\\w', '\\W', '\\s', '\\S');
const count = fc.constantFrom(
  '',
  '',
  '',
  '',
  '*',
  '+',
  '?',
  '{2}',
  '{3}',
  '{2,}',
  '{1,2}',
  '{0,3}',
  '{0}',
  '{20,40}',
  '+?',
  '??',
  '*?',
  '{2,4}?',
  '{,2}',
  '**',
);
const edge = fc.constantFrom('\\b', '\\B', '^', '$', '\\A', '\\z', '.', '\\Qa.\\E', '(?i)', '(?s:.)', '(?<=a)', '\\pL');

function patternsOf(one: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const inClass = fc.oneof(
    { arbitrary: one, weight: 3 },
    named,
    fc.constantFrom(
      'a-k',
      '0-9',
      'A-Z',
      'é-🌍',
      '\\t-a',
      '[:alpha:]',
      '[:space:]',
      '[:xdigit:]',
      '[:word:]',
      '[:^upper:]',
      '[:punct:]',
      '[',
      '.',
      '^',
      '-',
      '\\pL',
    ),
  );
  const characterClass = fc
    .tuple(
      fc.constantFrom('', '', '^'),
      fc.array(inClass, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('', '', '-'),
    )
    .map(([inverse, items, last]) => `[${inverse}${items.join('')}${last}]`);
  const { pattern: body } = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
    atom: fc.oneof(
      { depthSize: 'small' },
      { arbitrary: one, weight: 8 },
      { arbitrary: characterClass, weight: 6 },
      { arbitrary: named, weight: 2 },
      { arbitrary: edge, weight: 2 },
      {
        arbitrary: fc
          .tuple(fc.constantFrom('(', '(?:', '(?i:', '(?P<n>', '(?<n>', '(?m:'), tie('pattern'))
          .map(([open, inner]) => `${open}${inner})`),
        weight: 4,
      },
    ),
    pattern: fc
      .array(
        fc.array(fc.tuple(tie('atom'), count), { minLength: 1, maxLength: 4 }).map((atoms) => atoms.flat().join('')),
        { minLength: 1, maxLength: 2 },
      )
      .map((branches) => branches.join('|')),
  }));
  return fc.tuple(fc.constantFrom('', '', '', '(?i)', '(?s)'), body).map((parts) => parts.join(''));
}

function textsOf(character: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  const part = fc.oneof({ arbitrary: character, weight: 6 }, fc.constantFrom('aaaa', '0000', 'ab', 'sk-'));
  // Short ones hold what they match and nothing else.
  const parts = fc.oneof(fc.array(part, { maxLength: 6 }), fc.array(part, { maxLength: 60 }));
  const text = parts.map((all) => all.join(''));
  return fc.array(text, { minLength: 12, maxLength: 12 });
}

function compile(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source);
  } catch {
    return undefined;
  }
}

describe('findMatches()', () => {
  for (const [kind, pattern, texts] of [
    ['of all kinds', patternsOf(ONE), textsOf(fc.constantFrom(...CHARACTERS))],
    ['of few characters', patternsOf(NARROW), textsOf(NARROW)],
  ] as const) {
    it(`finds what the engine finds alone, with patterns and texts ${kind}`, () => {
      const seen = { filtered: 0, left: 0, hits: 0, misses: 0 };
      const property = fc.property(pattern, texts, (source, all) => {
        const engine = compile(source);
        fc.pre(engine !== undefined);
        const find = findMatches(source, engine);
        seen[windowsOf(source) === undefined ? 'left' : 'filtered']++;
        for (const each of all) {
          const expected = byEngine(engine, each);
          seen[expected.length > 0 ? 'hits' : 'misses']++;
          const found = find(each, each.length).map(({ start, end }) => [start, end]);
          assert.deepEqual(found, expected, JSON.stringify([source, each]));
        }
      });
      fc.assert(property, { numRuns: 400, seed: 20_261_121, maxSkipsPerRun: 1000 });
      assert.ok(Math.min(seen.filtered, seen.left, seen.hits / 12, seen.misses / 12) > 40, JSON.stringify(seen));
    });
  }
});

describe('windowsOf()', () => {
  const windows = (source: string, where: string): string[] =>
    [...(windowsOf(source)?.(where) ?? [])].map(({ start, end }) => where.slice(start, end));

  it('tells the runs of the characters that a pattern has, where they hold what it needs', () => {
    assert.deepEqual(windows('[0-9]{16}', 'a 4111 b 4222222222222222c'), ['4222222222222222']);
    assert.deepEqual(windows('[a-z.]+@[a-z.]+\\.[a-z]{2,}', 'to a.b@c.example, d@, @e.f'), ['a.b@c.example']);
    assert.deepEqual(windows('\\bsk-[A-Za-z0-9]{8,}', 'sk-1 task-12345678 (sk-12345678)'), ['sk-12345678']);
    assert.deepEqual(windows('([0-9]{4}[ -]?){3}[0-9]{4}', 'on 2026-11-21 1234-5678-9012-3456.'), [
      ' 2026-11-21 1234-5678-9012-3456',
    ]);
    assert.deepEqual(windows('(?i)bearer [a-z]{3,}', 'a BEARER abc, bearer d'), ['a BEARER abc']);
    assert.deepEqual(windows('(?:ghp|gho)_[0-9]{4}|AKIA[A-Z]{4}', 'ghp_12 gho_1234 AKIAXXXX'), [
      'gho_1234',
      'AKIAXXXX',
    ]);
    assert.deepEqual(windows('^a{3,}', 'xaaaax'), ['xaaaax']);
    assert.deepEqual(windows('🌍{2,}', 'a🌍🌍🌍b'), ['🌍🌍🌍']);
  });

  it('knows nothing of what may match anything, or of syntax that it does not read', () => {
    for (const source of [
      '',
      'a*',
      '.+',
      '(?:a|)',
      '[^\\n]{4}',
      'a(?s:.)b',
      '\\pL{9}',
      '(?<=a)bcd',
      'a{,2}',
      '[[:^digit:]]{9}',
    ])
      assert.equal(windowsOf(source), undefined, source);
  });

  it('needs no more than its bound from one place, whatever the pattern', () => {
    const where = 'a'.repeat(200_000);
    for (const source of ['(a?){20}a{20}b', '(a+)+b', '(a|aa)+c', 'a{100}{2}', '(a{1,30}){1,30}d', '((a?){9}){9}e'])
      assert.ok(['', where].includes(windows(source, where).join()), source);
  });
});
