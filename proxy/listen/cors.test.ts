import assert from 'node:assert/strict';
import test from 'node:test';
import { corsOf, withoutCors } from './cors.ts';
import type { IncomingRequest } from './incoming.ts';

const ORIGINS = ['https://app.example'];

function incoming(method: string, headers: Record<string, string>): IncomingRequest {
  return { head: { method, rawHeaders: Object.entries(headers).flat() } } as unknown as IncomingRequest;
}

const preflight = (more: Record<string, string>): IncomingRequest =>
  incoming('OPTIONS', { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST', ...more });

function pairs(list: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? '']] : [])));
}

test('corsOf() is off without origins', () => {
  assert.equal(corsOf(preflight({}), undefined), undefined);
});

test('corsOf() allows the named origins alone, and always says that the answer depends on the origin', () => {
  const allowed = corsOf(incoming('POST', { origin: 'https://app.example' }), ORIGINS);
  assert.equal(pairs(allowed?.added)['access-control-allow-origin'], 'https://app.example');
  for (const origin of ['https://app.example.evil', 'http://app.example', 'null', 'https://APP.example']) {
    assert.deepEqual(corsOf(incoming('POST', { origin }), ORIGINS)?.added, ['vary', 'Origin'], origin);
  }
  assert.deepEqual(corsOf(incoming('POST', {}), ORIGINS)?.added, ['vary', 'Origin']);
});

test('corsOf() mirrors what a preflight asks for, within bounds', () => {
  const asked = pairs(
    corsOf(preflight({ 'Access-Control-Request-Headers': 'x-api-key,content-type' }), ORIGINS)?.preflight,
  );
  assert.equal(asked['access-control-allow-methods'], 'POST');
  assert.equal(asked['access-control-allow-headers'], 'x-api-key, content-type');
  const many = Array.from({ length: 65 }, (_, at) => `x-${at}`).join(',');
  for (const list of ['a b', 'a\u0000', 'x'.repeat(65), many, '']) {
    const { preflight: answer } = corsOf(preflight({ 'Access-Control-Request-Headers': list }), ORIGINS) ?? {};
    assert.equal(pairs(answer)['access-control-allow-headers'], undefined, list);
  }
});

test('corsOf() takes an OPTIONS request without the preflight headers as an ordinary one', () => {
  assert.equal(corsOf(incoming('OPTIONS', { origin: 'https://app.example' }), ORIGINS)?.preflight, undefined);
  assert.deepEqual(corsOf(preflight({ Origin: 'https://other.example' }), ORIGINS)?.preflight, ['vary', 'Origin']);
});

test('withoutCors() removes what the upstream says of origins', () => {
  assert.deepEqual(withoutCors(['Access-Control-Allow-Origin', '*', 'X', '1', 'access-control-max-age', '5']), [
    'X',
    '1',
  ]);
});
