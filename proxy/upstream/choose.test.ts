import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompiledUpstream, ValidRoute } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { type ChooseFacts, choose } from './choose.ts';

const upstream = (name: string): CompiledUpstream => ({
  kind: 'valid',
  name,
  dialect: 'anthropic',
  origin: 'http://x',
  basePath: '',
  credentials: [],
  timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 },
  modelMap: [],
  translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
});
const invalid: CompiledUpstream = { kind: 'invalid', name: 'broken', message: 'Secret "x" is missing.' };
const UPSTREAMS = new Map([...['a', 'b', 'c'].map((n) => [n, upstream(n)] as const), ['broken', invalid] as const]);

function route(split: [string, number][], fallback: { upstream: string; model?: string }[] = []): ValidRoute {
  return {
    kind: 'valid',
    name: 'r',
    match: { paths: [], models: [], agents: [], headers: [] },
    split: split.map(([name, weight]) => ({ upstream: name, weight })),
    fallback,
    retry: { attemptsPerUpstream: 1, withinMs: 1000 },
  };
}

function names(r: ValidRoute, over: Partial<ChooseFacts> = {}): string[] {
  const facts = {
    upstreams: UPSTREAMS,
    available: () => true,
    atLimit: () => false,
    stickyKey: undefined,
    random: 0,
    ...over,
  };
  return choose(r, facts).candidates.map((c) => c.upstream.name + (c.model ? `:${c.model}` : ''));
}

test('choose() splits by weight and appends the fallback in order', () => {
  const r = route(
    [
      ['a', 90],
      ['b', 10],
    ],
    [{ upstream: 'c', model: 'm' }],
  );
  assert.deepEqual(names(r, { random: 0.89 }), ['a', 'c:m']);
  assert.deepEqual(names(r, { random: 0.91 }), ['b', 'c:m']);
  assert.deepEqual(
    names(
      route([
        ['a', 0],
        ['b', 1],
      ]),
      { random: 0 },
    ),
    ['b'],
  );
});

test('choose() skips what is invalid or unavailable while another candidate exists', () => {
  const r = route(
    [
      ['broken', 99],
      ['a', 1],
    ],
    [{ upstream: 'b' }],
  );
  assert.deepEqual(names(r), ['a', 'b']);
  assert.deepEqual(names(r, { available: (n) => n !== 'a' }), ['b']);
  assert.deepEqual(names(r, { available: () => false }), ['a', 'b']);
});

test('choose() refuses a route without any valid upstream and names the reason', () => {
  assert.throws(
    () => names(route([['broken', 1]])),
    (error) =>
      error instanceof ProxyError && error.kind === 'invalid_route' && /"broken": Secret "x"/.test(error.message),
  );
});

test('choose() keeps a sticky key on one upstream, and a changed weight moves only what it must', () => {
  const keys = Array.from({ length: 2000 }, (_, index) => `session-${index}`);
  const placed = (weightOfB: number): string[] =>
    keys.map(
      (stickyKey) =>
        names(
          route([
            ['a', 50],
            ['b', weightOfB],
          ]),
          { stickyKey },
        )[0] ?? '',
    );
  const [before, after] = [placed(50), placed(100)];
  assert.deepEqual(placed(50), before);
  const share = (list: string[]): number => list.filter((name) => name === 'b').length / keys.length;
  assert.ok(Math.abs(share(before) - 1 / 2) < 0.05 && Math.abs(share(after) - 2 / 3) < 0.05);
  assert.equal(before.filter((name, index) => name === 'b' && after[index] === 'a').length, 0);
});

test('choose() never asks an upstream at its limit: the next of the split, then the fallback, then 503 that names them', () => {
  const r = route(
    [
      ['a', 90],
      ['b', 10],
    ],
    [{ upstream: 'c' }],
  );
  const full =
    (...at: string[]): ChooseFacts['atLimit'] =>
    ({ name }) =>
      at.includes(name);
  assert.deepEqual(names(r, { atLimit: full('a') }), ['b', 'c']);
  assert.deepEqual(names(r, { atLimit: full('a'), stickyKey: 'session-1' }), ['b', 'c']);
  assert.deepEqual(names(r, { atLimit: full('a', 'b') }), ['c']);
  // One that keeps failing is still better than none; one that is full is not.
  assert.deepEqual(names(r, { atLimit: full('a', 'c'), available: () => false }), ['b']);
  assert.throws(
    () => names(r, { atLimit: full('a', 'b', 'c') }),
    (error: unknown) =>
      error instanceof ProxyError &&
      error.kind === 'at_limit' &&
      error.facts.retryAfterS === 1 &&
      /"a".*"b".*"c".*limits\.inFlight/.test(error.message),
  );
});
