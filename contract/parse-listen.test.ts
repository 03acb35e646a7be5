import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from './compile/compile.ts';
import { parseCompiled } from './parse-compiled.ts';
import type { StreamProxy } from './resources.ts';
import type { SecretLookup } from './secrets.ts';

const SECRETS: SecretLookup = new Map([
  ['tls', { exists: true, version: '1', keys: new Set(['tls.crt', 'tls.key', 'other.key']) }],
]);

function resource(over: Partial<StreamProxy['spec']> = {}): StreamProxy {
  return {
    metadata: { name: 'llm' },
    spec: {
      upstreams: [{ name: 'a', dialect: 'anthropic', url: 'https://a.example' }],
      routes: [{ name: 'all', upstreams: [{ name: 'a' }] }],
      ...over,
    },
  };
}

const everything = (): StreamProxy =>
  resource({
    listen: {
      port: 8100,
      limits: { inFlight: 9 },
      timeouts: { head: '5s', body: '0s' },
      cors: { allowOrigins: ['https://app.example'] },
      explain: 'always',
      debug: 'never',
    },
    agentTag: { open: '<a>', close: '</a>' },
    tiers: [{ name: 'large', models: ['x-*', 'y'] }],
    upstreams: [
      {
        name: 'a',
        dialect: 'raw',
        url: 'https://a.example',
        http2: true,
        limits: { connections: 2, inFlight: 3 },
        tls: { clientCertificate: { secret: { name: 'tls', keyKey: 'other.key' } } },
      },
    ],
    routes: [
      {
        name: 'all',
        match: { tiers: ['large'], headers: [{ name: 'X-There' }] },
        upstreams: [{ name: 'a' }],
        rewrite: { prefix: '/p' },
        keepAlive: { after: '15s' },
      },
    ],
  });

test('what compile() makes of listen, limits, tags and rewrites is what the proxy reads', () => {
  const { config, credentials, findings } = compile(everything(), SECRETS);
  assert.deepEqual(findings, []);
  const parsed = parseCompiled(JSON.parse(JSON.stringify(config)));
  assert.deepEqual(parsed, { ok: true, config });
  assert.deepEqual(config.listen, {
    port: 8100,
    maxInFlight: 9,
    timeouts: { headMs: 5000, bodyMs: 0 },
    corsOrigins: ['https://app.example'],
    explain: 'always',
    debug: 'never',
  });
  const [upstream] = config.upstreams;
  assert.ok(upstream?.kind === 'valid' && upstream.http2);
  assert.deepEqual(upstream.limits, { connections: 2, inFlight: 3 });
  const files = credentials.map(({ file, key }) => [key, file]);
  assert.deepEqual(files, [
    ['tls.crt', upstream.clientCertificate?.certFile],
    ['other.key', upstream.clientCertificate?.keyFile],
  ]);
  const [route] = config.routes;
  assert.ok(route?.kind === 'valid');
  assert.deepEqual(
    [route.rewritePrefix, route.keepAliveMs, route.match.tierModels, route.match.headers],
    ['/p', 15_000, ['x-*', 'y'], [{ name: 'x-there', values: [] }]],
  );
});

test('a default that is written out changes no revision', () => {
  const written = resource({
    listen: { port: 8019, explain: 'onRequest', debug: 'onRequest', timeouts: { head: '60s', body: '60s' } },
  });
  assert.equal(compile(written, SECRETS).config.revision, compile(resource(), SECRETS).config.revision);
});

test('a client certificate that is missing breaks its upstream, and says so', () => {
  const { config, findings } = compile(everything(), new Map());
  assert.equal(config.upstreams[0]?.kind, 'invalid');
  assert.deepEqual(
    findings.map(({ path, reason }) => [path, reason]),
    [['spec.upstreams[0].tls.clientCertificate.secret', 'SecretNotFound']],
  );
});

test('a route with an unknown tier is invalid, and still takes every model', () => {
  const unknown = resource({
    tiers: [{ name: 'small', models: ['x'] }],
    routes: [{ name: 'all', match: { tiers: ['small', 'huge'] }, upstreams: [{ name: 'a' }] }],
  });
  const { config, findings } = compile(unknown, SECRETS);
  const [route] = config.routes;
  assert.deepEqual([route?.kind, route?.match.tierModels], ['invalid', undefined]);
  assert.deepEqual(
    findings.map(({ path, message }) => `${path} ${message}`),
    ['spec.routes[0].match.tiers[1] "huge" is no entry of spec.tiers; use one of "small", or add it there.'],
  );
});

test('parseCompiled() refuses values that would refuse everything, or lead elsewhere', () => {
  const { config } = compile(everything(), SECRETS);
  const broken = JSON.parse(JSON.stringify(config)) as Record<string, Record<string, unknown>[]> & {
    listen: Record<string, unknown>;
    agentTag: unknown;
  };
  Object.assign(broken.listen, {
    maxInFlight: 0,
    explain: 'sometimes',
    corsOrigins: 'x',
    timeouts: { headMs: -1, bodyMs: 1 },
  });
  broken.agentTag = { open: '' };
  Object.assign(broken['upstreams']?.[0] ?? {}, {
    limits: { inFlight: 0 },
    clientCertificate: { certFile: '../x', keyFile: 'k' },
  });
  Object.assign(broken['routes']?.[0] ?? {}, { rewritePrefix: 'p?', keepAliveMs: 0 });
  const parsed = parseCompiled(broken);
  const paths = parsed.ok ? [] : parsed.problems.map(({ path }) => path);
  for (const path of [
    'listen.maxInFlight',
    'listen.explain',
    'listen.corsOrigins',
    'listen.timeouts.headMs',
    'agentTag.open',
    'agentTag.close',
    'upstreams[0].limits.inFlight',
    'upstreams[0].clientCertificate.certFile',
    'routes[0].rewritePrefix',
    'routes[0].keepAliveMs',
  ]) {
    assert.ok(paths.includes(path), `${path} is not among ${paths.join(', ')}`);
  }
});
