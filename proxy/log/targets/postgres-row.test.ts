/** What PostgreSQL cannot hold, character by character. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyRows } from './postgres-row.ts';
import { COLUMNS, DELIMITER, QUOTE } from './postgres-schema.ts';
import { storable } from './storable.ts';

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
    const found = storable(Buffer.from(json));
    assert.deepEqual([found.json.toString(), found.replaced], [text, replaced]);
  });
}

test('storable() leaves well-formed text without NUL as it is, and replaces exactly the rest', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      (value) => {
        const { json, replaced } = storable(Buffer.from(JSON.stringify(value)));
        const expected = value.toWellFormed().replaceAll('\0', '\ufffd');
        assert.equal(JSON.parse(json.toString()), expected);
        const changed = expected.split('\ufffd').length;
        assert.equal(replaced, changed - value.split('\ufffd').length);
      },
    ),
  );
});

test('storable() is not led astray by words that look like escapes', () => {
  const words = `"${'loud study uD u0000 \\\\ud800 '.repeat(200)}"`;
  const found = storable(Buffer.from(`{"a":${words},"b":"\\ud800"}`));
  assert.deepEqual([found.json.toString(), found.replaced], [`{"a":${words},"b":"\\ufffd"}`, 1]);
});

test('copyRows() writes one row a record, whatever the text holds, and the record as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (details) => {
      const records = details.map((detail, index) => ({
        id: `id-${index}`,
        json: Buffer.from(JSON.stringify({ route: detail })),
      }));
      const rows = readCsv(copyRows(records).toString());
      assert.equal(rows.length, details.length);
      for (const [index, row] of rows.entries()) {
        const column = (name: string): string | undefined => row[COLUMNS.findIndex(([each]) => each === name)];
        const { id, json } = records[index] ?? assert.fail();
        const stored = details[index]?.toWellFormed().replaceAll('\0', '\ufffd').slice(0, 256);
        assert.deepEqual(
          [row.length, column('id'), column('route'), column('model')],
          [COLUMNS.length, id, stored, undefined],
        );
        assert.equal(column('record'), storable(json).json.toString());
      }
    }),
  );
});

const FIELD = new RegExp(
  `^((${QUOTE})(?:[^${QUOTE}]|${QUOTE}${QUOTE})*${QUOTE}|[^${QUOTE}${DELIMITER}\\n]*)([${DELIMITER}\\n])`,
);

/** Rows as PostgreSQL reads them: undefined for NULL. */
function readCsv(text: string): (string | undefined)[][] {
  const rows: (string | undefined)[][] = [];
  let row: (string | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const [, field, isQuoted, end] = FIELD.exec(text.slice(at)) ?? [];
    assert.ok(field !== undefined, `no field at ${at}`);
    row.push(isQuoted ? field.slice(1, -1).replaceAll(QUOTE + QUOTE, QUOTE) : field === '' ? undefined : field);
    at += field.length;
    if (end === '\n') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
