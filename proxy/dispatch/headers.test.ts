import assert from 'node:assert/strict';
import test from 'node:test';
import { answerHeaders, isEventStream, requestHeaders } from './headers.ts';

const NONE = { decoded: false, exhausted: false, added: [] };

test('requestHeaders() keeps case, order and duplicates, and ends what belongs to the connection', () => {
  const raw = [
    ['Host', 'x'],
    ['X-MiXeD', '1'],
    ['Connection', 'keep-alive, X-Private'],
    ['X-Private', 'p'],
    ['TE', 'trailers'],
    ['Transfer-Encoding', 'chunked'],
    ['Expect', '100-continue'],
    ['Accept-Encoding', 'gzip'],
    ['anthropic-beta', 'a'],
    ['Anthropic-Beta', 'b'],
    ['X-Api-Key', 'theirs'],
    ['sluice-explain', 'true'],
  ].flat();
  assert.deepEqual(
    requestHeaders(raw, { removed: new Set(['x-api-key']), added: ['x-api-key', 'ours'] }, 5),
    [
      ['X-MiXeD', '1'],
      ['anthropic-beta', 'a'],
      ['Anthropic-Beta', 'b'],
      ['accept-encoding', 'identity'],
      ['content-length', '5'],
      ['x-api-key', 'ours'],
    ].flat(),
  );
});

test('answerHeaders() passes everything end-to-end, two Set-Cookie and the length included', () => {
  const raw = ['Set-Cookie', 'a', 'Content-Length', '3', 'Keep-Alive', 'x', 'set-cookie', 'b', 'request-id', 'r'];
  assert.deepEqual(answerHeaders(raw, NONE), [
    'Set-Cookie',
    'a',
    'Content-Length',
    '3',
    'set-cookie',
    'b',
    'request-id',
    'r',
  ]);
});

test('answerHeaders() keeps event streams from being collected, unless the upstream said how', () => {
  const plain = ['content-type', 'text/event-stream; charset=utf-8'];
  assert.deepEqual(answerHeaders(plain, NONE).slice(2), ['cache-control', 'no-cache', 'x-accel-buffering', 'no']);
  const said = [...plain, 'Cache-Control', 'no-store', 'X-Accel-Buffering', 'yes'];
  assert.deepEqual(answerHeaders(said, NONE), said);
  assert.ok(!isEventStream(['content-type', 'text/event-streams']));
});

test('answerHeaders() drops length and encoding of a decoded body, and says when our retries are spent', () => {
  const raw = ['content-encoding', 'gzip', 'content-length', '9', 'x-should-retry', 'true', 'retry-after', '7'];
  assert.deepEqual(answerHeaders(raw, { decoded: true, exhausted: true, added: ['a', 'b'] }), [
    'retry-after',
    '7',
    'x-should-retry',
    'false',
    'a',
    'b',
  ]);
});
