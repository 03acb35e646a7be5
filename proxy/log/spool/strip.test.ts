import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripBodies } from './strip.ts';

const recordWith = (response: object): Buffer => Buffer.from(JSON.stringify({ id: 'r', request: {}, response }));
const stripped = (response: object): unknown => {
  const json = stripBodies(recordWith(response));
  return json && (JSON.parse(json.toString()) as { response: unknown }).response;
};

test('a body loses its content and is marked; size and digest stay', () => {
  const body = { bytes: 3, sha256: 'ba78', truncated: false };
  assert.deepEqual(stripped({ body: { ...body, text: 'abc' } }), { body: { ...body, truncated: true } });
  assert.deepEqual(stripped({ body: { ...body, base64: 'YWJj' } }), { body: { ...body, truncated: true } });
});

test('the assembled answer goes with the bodies, which say the same', () => {
  const assembled = { content: [{ type: 'text', text: 'abc' }] };
  assert.deepEqual(stripped({ status: 200, assembled, assembledSpoiled: true }), { status: 200 });
});

test('what has no content stays as it is', () => {
  assert.equal(stripped({ body: { bytes: 0, truncated: false } }), undefined);
  assert.equal(stripBodies(Buffer.from('{"torn')), undefined);
});
