import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { REDACTED } from '../headers.ts';
import { escapedStrings } from './escaped-strings.ts';
import { unescaped } from './escapes.ts';
import { replacePatterns } from './patterns.ts';

const CARD = '[0-9]{4} ?[0-9]{4} ?[0-9]{4} ?[0-9]{4}';
const KEY = '\\b(?:sk|AKIA)[-A-Za-z0-9]{16,}';
const MAIL = '[a-z.]+@[a-z.]+\\.[a-z]{2,}';

async function redacted(text: string, ...patterns: string[]): Promise<string> {
  return (await replacePatterns([text], patterns)).texts[0] ?? '';
}

describe('redaction of JSON', () => {
  it('sees the characters that escapes stand for, and leaves JSON that says all the rest', async () => {
    assert.equal(
      await redacted('{"from":"maria\\u0040canary.example","n":1.0}', MAIL),
      `{"from":"${REDACTED}","n":1.0}`,
    );
    assert.equal(
      await redacted('{"t":"the key:\\nAKIA0123456789abcdef\\nwas \\"sk-0123456789abcdef\\""}', KEY),
      `{"t":"the key:\\n${REDACTED}\\nwas \\"${REDACTED}\\""}`,
    );
    assert.equal(await redacted('{"\\u0061@b.cd":1}', MAIL), `{"${REDACTED}":1}`);
  });

  it('looks into strings that hold JSON, as arguments of tools do', async () => {
    const inner = JSON.stringify({ body: 'key:\nsk-0123456789abcdef', deeper: JSON.stringify({ to: 'a@b.cd\n' }) });
    const text = JSON.stringify({ tool_calls: [{ function: { arguments: inner } }] });
    const hidden = JSON.parse(await redacted(text.replaceAll('@', '\\u0040'), KEY, MAIL));
    const { body, deeper } = JSON.parse(hidden.tool_calls[0].function.arguments);
    assert.deepEqual([body, JSON.parse(deeper)], [`key:\n${REDACTED}`, { to: `${REDACTED}\n` }]);
  });

  it('takes the letter of an escape for no letter', async () => {
    assert.equal(await redacted('{"t":"\\nmaria@canary.example\\n"}', MAIL), `{"t":"\\n${REDACTED}\\n"}`);
    assert.equal(await redacted('{"t":"\\\\nn"}', 'n'), `{"t":"\\\\${REDACTED}${REDACTED}"}`);
    assert.equal(await redacted('{"t":"\\u0041\\n"}', '[0-9]{3}|n'), '{"t":"\\u0041\\n"}');
  });

  it('finds what stands as it is written all the same, in strings and across them', async () => {
    assert.equal(await redacted('{"t":"x\\ny","secret":"S3CRET"}', '"secret":"[^"]*"'), `{"t":"x\\ny",${REDACTED}}`);
    assert.equal(await redacted('{"t":"\\nsecret","v":"S3CRET"}', 'secret.{0,16}'), `{"t":"\\n${REDACTED}`);
    assert.equal(await redacted('{"a":"{\\"p\\":\\"S3CRET\\"}"}', '\\\\"p\\\\":\\\\"[^"]*"'), `{"a":"{${REDACTED}}"}`);
  });

  it('leaves no match and no broken string, wherever the text is cut', async () => {
    const text = '{"a":"maria\\u0040canary.example \\ud83d\\ude00 4111 1111\\u00201111 1111","b":["\\\\",1]}';
    for (let end = 0; end <= text.length; end++) {
      const hidden = await redacted(text.slice(0, end), MAIL, CARD);
      assert.ok(!hidden.includes('canary.ex') && !hidden.includes('1111 1111"'), hidden);
    }
    assert.deepEqual(JSON.parse(await redacted(text, MAIL, CARD)), { a: `${REDACTED} 😀 ${REDACTED}`, b: ['\\', 1] });
  });

  it('undoes escapes as a reader of JSON does, and finds every string that has some', () => {
    const character = fc.constantFrom('a', '"', '\\', '\n', '/', 'é', '🌍', '\u0000', '\uD800', '{', ':');
    const text = fc.array(character).map((characters) => characters.join(''));
    const property = fc.property(fc.array(text), fc.constantFrom(undefined, 1), (texts, indent) => {
      const json = JSON.stringify(texts, undefined, indent);
      const found = escapedStrings(json).map(({ start, end }) => [json.slice(start, end), unescaped(json, start, end)]);
      const written = texts.map((each) => [JSON.stringify(each).slice(1, -1), each]);
      assert.deepEqual(
        found,
        written.filter(([raw]) => raw?.includes('\\')),
      );
    });
    fc.assert(property, { numRuns: 300, seed: 20_261_121 });
    for (const broken of ['\\', 'a\\', '\\q', '\\u12', '\\u12G4'])
      assert.doesNotThrow(() => unescaped(broken, 0, broken.length));
  });
});
