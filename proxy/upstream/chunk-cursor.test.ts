import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkCursor, wholeChunks } from './chunk-cursor.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What a run of chunks is made of, as text. */
function whole(text: string, start = 0): { chunks: string[]; end: number } {
  const buffer = bytes(text);
  const bounds: number[] = [];
  const end = wholeChunks(buffer, start, buffer.length, bounds);
  const chunks: string[] = [];
  for (let i = 0; i < bounds.length; i += 2) {
    chunks.push(buffer.toString('latin1', start + (bounds[i] ?? 0), start + (bounds[i + 1] ?? 0)));
  }
  return { chunks, end };
}

test('finds chunks that lie whole in the bytes, in any case of digits', () => {
  assert.deepEqual(whole('5\r\nhello\r\n00A\r\n0123456789\r\n'), { chunks: ['hello', '0123456789'], end: 27 });
  assert.deepEqual(whole('xx1\r\na\r\n', 2), { chunks: ['a'], end: 8 });
  assert.deepEqual(whole('4\r\n\r\n\r\n\r\n'), { chunks: ['\r\n\r\n'], end: 9 });
});

for (const [what, rest] of [
  ['the last chunk', '0\r\n\r\n'],
  ['an extension', '5;a=b\r\nhello\r\n'],
  ['a space', '5 \r\nhello\r\n'],
  ['no digit', 'g\r\nhello\r\n'],
  ['no size', '\r\nhello\r\n'],
  ['a bare line feed', '5\nhello\r\n'],
  ['no line end behind the bytes', '5\r\nhelloXX'],
  ['a size beyond all reason', '12345678\r\nhello\r\n'],
  ['half a size', '5'],
  ['half a chunk', '5\r\nhel'],
  ['half a line end', '5\r\nhello\r'],
] as const) {
  test(`stops before ${what}`, () => {
    assert.deepEqual(whole(`1\r\na\r\n${rest}`), { chunks: ['a'], end: 6 });
  });
}

test('knows the boundaries, however the bytes are cut', () => {
  const body = bytes('5\r\nhello\r\n1f\r\n0123456789abcdef0123456789abcde\r\n1\r\n\r\r\n');
  const boundaries = new Set([0, 10, 47, 53]);
  for (let cut = 0; cut <= body.length; cut++) {
    const cursor = new ChunkCursor();
    cursor.advance(body, 0, cut);
    assert.equal(cursor.atBoundary, boundaries.has(cut), `cut at ${cut}`);
    cursor.advance(body, cut, body.length);
    assert.ok(cursor.atBoundary && !cursor.lost, `cut at ${cut}`);
  }
  const byBytes = new ChunkCursor();
  for (let at = 0; at < body.length; at++) byBytes.advance(body, at, at + 1);
  assert.ok(byBytes.atBoundary);
});

test('stops at the first boundary when asked for one', () => {
  const body = bytes('lo\r\n1\r\na\r\n5\r\nh');
  const cursor = new ChunkCursor();
  cursor.advance(bytes('5\r\nhel'), 0, 6);
  assert.equal(cursor.toBoundary(body, 0, body.length), 4);
  assert.equal(cursor.toBoundary(body, 4, body.length), 10);
  assert.equal(cursor.toBoundary(body, 10, body.length), body.length);
  assert.ok(!cursor.atBoundary && !cursor.lost);
});

for (const text of ['0\r\n', '5;', '\r\n', 'xyz', '5\ra', '12345678']) {
  test(`is lost for good after ${JSON.stringify(text)}`, () => {
    const cursor = new ChunkCursor();
    cursor.advance(bytes(text), 0, text.length);
    assert.ok(cursor.lost);
    cursor.advance(bytes('1\r\na\r\n'), 0, 6);
    assert.ok(cursor.lost && !cursor.atBoundary);
  });
}
