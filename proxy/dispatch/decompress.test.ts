import assert from 'node:assert/strict';
import test from 'node:test';
import { decoderFor } from './decompress.ts';

const needs = (encoding: string, accept: string[]): boolean =>
  decoderFor(['Content-Encoding', encoding], accept) !== undefined;

test('decoderFor() leaves bytes alone that the client said it can read', () => {
  assert.ok(!needs('gzip', ['accept-encoding', 'br, gzip;q=0.5']));
  assert.ok(!needs('gzip', ['Accept-Encoding', 'br', 'accept-encoding', 'gzip']));
  assert.ok(!needs('br', ['accept-encoding', '*']));
  assert.ok(!needs('x-gzip', ['accept-encoding', 'gzip']));
});

test('decoderFor() decodes for everybody else', () => {
  assert.ok(needs('GZIP', []));
  assert.ok(needs('gzip', ['accept-encoding', 'gzip;q=0, *']));
  assert.ok(needs('zstd', ['accept-encoding', 'identity']));
  assert.ok(needs('deflate', ['accept-encoding', 'br']));
});

test('decoderFor() has nothing to do without an encoding, or with one that nobody here knows', () => {
  assert.equal(decoderFor([], []), undefined);
  assert.ok(!needs('identity', []));
  assert.ok(!needs('gzip, br', []));
  assert.ok(!needs('constructor', []));
});
