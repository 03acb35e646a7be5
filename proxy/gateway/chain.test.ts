import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValidUpstream } from '#contract/compiled.ts';
import type { RequestHead } from '../exchange.ts';
import { chained } from './chain.ts';

const UPSTREAM = { kind: 'valid', name: 'up' } as ValidUpstream;
const HEAD = { id: 'own' } as RequestHead;
const request = { path: '/', headers: ['a', '1'] };

test('chained() tells a gateway the id of the exchange: our own where it began here, else the one that we were told', () => {
  const gateway = { ...UPSTREAM, gateway: true } as const;
  assert.deepEqual(chained(request, gateway, HEAD).headers, ['a', '1', 'sluice-exchange-id', 'own']);
  const further = chained(request, gateway, { ...HEAD, exchange: 'first' });
  assert.deepEqual(further.headers, ['a', '1', 'sluice-exchange-id', 'first']);
  assert.equal(further.path, '/');
});

test('chained() tells nobody else', () => {
  assert.equal(chained(request, UPSTREAM, HEAD), request);
});
