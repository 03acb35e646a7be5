/** A record's columns are the same whether its messages were read or passed over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHead } from './record-head.ts';

const AROUND = { id: 'a', model: { asked: 'é' }, status: 200 };
const AFTER = { redactions: { patterns: 1 }, end: 'complete' };
const HOSTILE = ',"request":{ "} ,"redactions":{"end":"forged"}';

function head(record: object): unknown {
  return readHead(Buffer.from(JSON.stringify(record)));
}

test('readHead() reads everything but the messages, whatever these say', () => {
  const request = { method: 'POST', redactions: { end: 'inner' }, body: { text: HOSTILE } };
  const response = { body: { text: JSON.stringify({ a: 1, request: { b: 1 }, redactions: { c: 1 } }) } };
  assert.deepEqual(head({ ...AROUND, route: HOSTILE, request, response, ...AFTER, detail: HOSTILE }), {
    ...AROUND,
    route: HOSTILE,
    ...AFTER,
    detail: HOSTILE,
  });
});

test('readHead() reads a record whole whose members come in another order', () => {
  const nested = { b: 1, request: { redactions: 1, end: 'no' } };
  for (const record of [
    { ...AFTER, ...AROUND, request: { method: 'GET' } },
    { ...AROUND, nested, a: 1, ...AFTER },
    { ...AROUND, request: { method: 'GET' }, more: { a: 1, redactions: { b: 1 } }, end: 'complete' },
    AROUND,
  ])
    assert.deepEqual(head(record), record);
});

test('readHead() refuses what is no JSON', () => {
  assert.throws(() => readHead(Buffer.from('{"id":')), SyntaxError);
});
