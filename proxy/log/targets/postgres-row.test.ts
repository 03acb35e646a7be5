/** What PostgreSQL cannot hold, character by character. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyLines, storable } from './postgres-row.ts';
import { COLUMNS } from './postgres-schema.ts';

for (const [json, text, replaced] of [
  ['"a\\u0000b"', '"a\\ufffdb"', 1],
  ['"\\\\u0000"', '"\\\\u0000"', 0],
  ['"\\\\\\u0000"', '"\\\\\\ufffd"', 1],
  ['"\\ud83d\\ude00"', '"\\ud83d\\ude00"', 0],
  ['"\\uD83D\\uDE00\\uD83D"', '"\\uD83D\\uDE00\\ufffd"', 1],
  ['"\\ude00\\ud83d"', '"\\ufffd\\ufffd"', 2],
  ['"\\ud83d\\ud83d\\ude00"', '"\\ufffd\\ud83d\\ude00"', 1],
  ['"\\u0001\\n\\""', '"\\u0001\\n\\""', 0],
] as const) {
  test(`storable() makes ${text} of ${json}`, () => {
    assert.deepEqual(storable(json), { text, replaced });
  });
}

test('storable() leaves well-formed text without NUL as it is, and replaces exactly the rest', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      (value) => {
        const { text, replaced } = storable(JSON.stringify(value));
        const expected = value.toWellFormed().replaceAll('\0', '\ufffd');
        assert.equal(JSON.parse(text), expected);
        const changed = expected.split('\ufffd').length;
        assert.equal(replaced, changed - value.split('\ufffd').length);
      },
    ),
  );
});

test('copyLines() writes one line a record, whatever the text holds', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (details) => {
      const records = details.map((detail, index) => ({
        id: `id-${index}`,
        json: Buffer.from(JSON.stringify({ route: detail })),
      }));
      const lines = copyLines(records).toString().split('\n');
      assert.equal(lines.pop(), '');
      assert.deepEqual(
        lines.map((line) => line.split('\t').length),
        details.map(() => COLUMNS.length),
      );
    }),
  );
});
