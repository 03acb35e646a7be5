import assert from 'node:assert/strict';
import test from 'node:test';
import type { ValidUpstream } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { Load } from './load.ts';

const upstream = (name: string, inFlight?: number): ValidUpstream => ({
  kind: 'valid',
  name,
  dialect: 'raw',
  origin: 'http://x',
  basePath: '',
  credentials: [],
  timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 },
  modelMap: [],
  translation: { flavor: 'openai', maxTokens: 1, onLoss: 'warn' },
  ...(inFlight !== undefined && { limits: { inFlight } }),
});

test('Load counts an exchange at one upstream at a time', () => {
  const load = new Load();
  const [a, b] = [upstream('a', 1), upstream('b')];
  const place = load.place();
  place.move(a);
  place.move(a);
  assert.deepEqual([load.count('a'), load.atLimit(a)], [1, true]);
  place.move(b);
  assert.deepEqual([load.count('a'), load.atLimit(a), load.count('b'), load.atLimit(b)], [0, false, 1, false]);
  place.leave();
  place.leave();
  assert.equal(load.count('b'), 0);
});

test('Load refuses one more than the limit, and a refused exchange is nowhere', () => {
  const load = new Load();
  const [a, b] = [upstream('a', 1), upstream('b', 5)];
  load.place().move(a);
  const second = load.place();
  second.move(b);
  assert.throws(
    () => second.move(a),
    (error: unknown) => error instanceof ProxyError && error.kind === 'at_limit' && error.facts.upstream === 'a',
  );
  assert.deepEqual([load.count('a'), load.count('b')], [1, 0]);
});
