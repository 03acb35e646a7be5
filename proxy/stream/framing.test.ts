import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { frame } from './framing.ts';

test('frame() writes size, CRLF, bytes, CRLF for any chunk', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), (bytes) => {
      const chunk = Buffer.from(bytes);
      const expected = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
      assert.ok(frame(chunk).equals(expected));
    }),
  );
});
