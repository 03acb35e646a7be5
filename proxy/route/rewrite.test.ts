import assert from 'node:assert/strict';
import test from 'node:test';
import type { PathPattern, ValidRoute } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { rewriteTarget } from './rewrite.ts';

function route(rewritePrefix: string | undefined, ...paths: string[]): ValidRoute {
  const patterns = paths.map((path): PathPattern => {
    return path.endsWith('*') ? { kind: 'prefix', path: path.slice(0, -1) } : { kind: 'exact', path };
  });
  return {
    kind: 'valid',
    name: 'r',
    match: { paths: patterns, models: [], agents: [], headers: [] },
    split: [{ upstream: 'a', weight: 1 }],
    fallback: [],
    retry: { attemptsPerUpstream: 1, withinMs: 1 },
    ...(rewritePrefix !== undefined && { rewritePrefix }),
  };
}

test('rewriteTarget() replaces what the pattern names and keeps the rest and the query', () => {
  const cases: [prefix: string | undefined, pattern: string[], target: string, expected: string][] = [
    [undefined, ['/search/*'], '/search/x?q=/search/', '/search/x?q=/search/'],
    ['/api', ['/search/*'], '/search/x/y?q=1', '/api/x/y?q=1'],
    ['/api/', ['/search/*'], '/search/x', '/api/x'],
    ['/', ['/search/*'], '/search/x', '/x'],
    ['/', ['/search/*'], '/search/', '/'],
    ['/api', ['/search*'], '/search', '/api'],
    ['/api', ['/search*'], '/search/x', '/api/x'],
    ['/api', ['/search*'], '/searching', '/apiing'],
    ['/v2/messages', ['/v1/messages'], '/v1/messages?beta=true', '/v2/messages?beta=true'],
    ['/', ['/only'], '/only', '/'],
    ['/front', [], '/v1/x', '/front/v1/x'],
    ['/api', ['/a/*', '/b/*'], '/b/x%2Fy', '/api/x%2Fy'],
  ];
  for (const [prefix, patterns, target, expected] of cases) {
    assert.equal(rewriteTarget(route(prefix, ...patterns), target), expected, `${patterns.join()} ${target} ${prefix}`);
  }
});

test('rewriteTarget() lets nobody climb out of the prefix', () => {
  for (const [prefix, pattern, target] of [
    ['/', '/a*', '/a../secret'],
    ['/x/.', '/a*', '/a./secret'],
  ] as const) {
    assert.throws(
      () => rewriteTarget(route(prefix, pattern), target),
      (error: unknown) => error instanceof ProxyError && error.kind === 'bad_request',
      target,
    );
  }
});
