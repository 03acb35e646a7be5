import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { REDACTED } from '../headers.ts';
import { findMatches } from './find-matches.ts';
import { type JsonPath, redactJsonPaths } from './json-path.ts';
import { replacePatterns } from './patterns.ts';

/** What redaction of parsed JSON gives: the oracle. */
function oracle(value: unknown, path: JsonPath): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return REDACTED;
  if (Array.isArray(value)) return value.map((item, i) => (head === '*' || head === i ? oracle(item, rest) : item));
  if (typeof value !== 'object' || value === null || typeof head !== 'string') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, key === head ? oracle(member, rest) : member]),
  );
}

const HIDE = JSON.stringify(REDACTED);

describe('redactJsonPaths()', () => {
  it('replaces the value and leaves every other byte as it was', () => {
    const text = '{ "a":1.0,  "metadata" : {"user_id":"u-1", "n":[1,2]} , "z":"\\u0041" }';
    const { text: redacted, count } = redactJsonPaths(text, [['metadata', 'user_id']]);
    assert.equal(redacted, `{ "a":1.0,  "metadata" : {"user_id":${HIDE}, "n":[1,2]} , "z":"\\u0041" }`);
    assert.equal(count, 1);
  });

  it('follows indexes, stars and escaped keys, and replaces whole containers', () => {
    const text = '{"m":[{"t":"a"},{"t":"b"}],"\\u0078":{"y":[1]}}';
    assert.equal(redactJsonPaths(text, [['m', '*', 't']]).count, 2);
    assert.equal(redactJsonPaths(text, [['m', 1]]).text, `{"m":[{"t":"a"},${HIDE}],"\\u0078":{"y":[1]}}`);
    assert.equal(redactJsonPaths(text, [['x']]).text, `{"m":[{"t":"a"},{"t":"b"}],"\\u0078":${HIDE}}`);
    assert.equal(redactJsonPaths('{"k":1,"k":2}', [['k']]).count, 2, 'both of two keys');
  });

  it('lets nothing of a hidden value through, wherever the text is cut', () => {
    const text = '{"a":{"b":"public"},"secret":{"deep":["S3CRET","S3CRET"]},"c":"public"}';
    for (let end = 0; end <= text.length; end++) {
      const { text: redacted } = redactJsonPaths(text.slice(0, end), [['secret']]);
      assert.ok(!redacted.includes('S3'), redacted);
    }
  });

  it('hides the rest where a text stops being JSON', () => {
    assert.equal(redactJsonPaths('{"a":1,!"secret":"S"}', [['secret']]).text, `{"a":1,${HIDE}`);
    assert.equal(redactJsonPaths('{"a" "secret":"S"}', [['secret']]).text, `{"a" ${HIDE}`);
    assert.equal(redactJsonPaths('{"a":1}\n{"secret":"S"}\n', [['secret']]).text, `{"a":1}\n{"secret":${HIDE}}\n`);
  });

  it('survives depth that would exhaust a stack', () => {
    const deep = `${'{"a":['.repeat(50_000)}`;
    assert.equal(redactJsonPaths(deep, [['b', '*', 'c']]).count, 0);
    assert.equal(redactJsonPaths('['.repeat(100_000), [['*', '*']]).count, 1);
  });

  it('gives what redacting the parsed document gives', () => {
    const key = fc.constantFrom('a', 'b', 'é"\\', '');
    const { document } = fc.letrec<{ document: unknown }>((tie) => ({
      document: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(null, true, 1.5, -2e10, 'x"y\\', ''),
        fc.array(tie('document'), { maxLength: 3 }),
        fc.dictionary(key, tie('document'), { maxKeys: 3 }),
      ),
    }));
    const path = fc.array(fc.oneof(key, fc.nat(2), fc.constant('*' as const)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(document, path, fc.constantFrom(undefined, 2), (value, steps, indent) => {
        const { text } = redactJsonPaths(JSON.stringify(value, undefined, indent), [steps]);
        assert.deepEqual(JSON.parse(text), oracle(JSON.parse(JSON.stringify(value)), steps));
      }),
      { numRuns: 500, seed: 20_261_121 },
    );
  });
});

describe('replacePatterns()', () => {
  it('replaces every match in every text and counts them', async () => {
    const { texts, count } = await replacePatterns(['4111111111111111 and 4222222222222222', 'none'], ['[0-9]{16}']);
    assert.deepEqual(texts, [`${REDACTED} and ${REDACTED}`, 'none']);
    assert.equal(count, 2);
  });

  it('takes a replacement literally, and shows every pattern the text as it was', async () => {
    for (const patterns of [
      ['[a-z]', '[0-9]'],
      ['[0-9]', '[a-z]'],
    ]) {
      const { texts, count } = await replacePatterns(['a1b2'], patterns);
      assert.deepEqual([texts, count], [[REDACTED.repeat(4)], 4]);
    }
    assert.deepEqual(await replacePatterns(['xfoobarx'], ['foo', 'oba', 'foobar', '']), {
      texts: [`x${REDACTED}x`],
      count: 1,
    });
  });

  it('is linear where a backtracking engine would never end', async () => {
    const { count } = await replacePatterns([`${'a'.repeat(50_000)}!`], ['(a+)+$', '(a|aa)+$', '(.*)*x']);
    assert.equal(count, 0);
  });

  it('hides the whole text when it holds more matches than are told apart, and counts one', async () => {
    const at = async (text: string): Promise<[string, number]> => {
      const { texts, count } = await replacePatterns([text, 'a1'], ['[0-9]', '[!?]', 'x'.repeat(9)]);
      assert.equal(texts[1], `a${REDACTED}`, 'the other text is as ever');
      return [texts[0] ?? '', count - 1];
    };
    assert.deepEqual(await at('1a!b'.repeat(125_000)), [`${REDACTED}a${REDACTED}b`.repeat(125_000), 250_000]);
    for (const text of ['1a!b'.repeat(125_001), JSON.stringify({ a: '\n1'.repeat(125_001), b: '!?' })])
      assert.deepEqual(await at(text), [REDACTED, 1]);
    const inTurn = '1'.repeat(65_000) + '!'.repeat(65_000);
    assert.deepEqual(
      await at(JSON.stringify({ a: `${inTurn}\n` })),
      [REDACTED, 1],
      'what is found in two forms is twice as much',
    );
  });

  it('asks an engine for no more matches than it needs to know that they are too many', async () => {
    for (const pattern of ['[0-9]', '1|[^\\s]']) {
      const { RE2JS } = await import('re2js');
      const find = findMatches(pattern, RE2JS.compile(pattern));
      assert.equal(find('1 '.repeat(1000), 10).length, 11);
      assert.equal(find('1 '.repeat(10), 10).length, 10);
    }
  });

  it('hides the whole text when a pattern does not compile', async () => {
    assert.deepEqual((await replacePatterns(['secret'], ['(?=x)'])).texts, [REDACTED]);
  });
});
