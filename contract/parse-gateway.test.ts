import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from './compile/compile.ts';
import { parseCompiled } from './parse-compiled.ts';
import type { StreamProxy } from './resources.ts';
import { type TokenKeys, tokenKeysOf } from './token-keys.ts';

const KEYS: TokenKeys = {
  issuer: 'https://kubernetes.default.svc',
  keys: [
    { kid: 'a', alg: 'RS256', kty: 'RSA', n: 'AQAB', e: 'AQAB' },
    { kid: 'b', alg: 'ES256', kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
  ],
};

const RESOURCE: StreamProxy = {
  metadata: { name: 'shared', namespace: 'platform' },
  spec: {
    gateway: {
      tls: { secret: { name: 'cert' } },
      clients: [
        { name: 'one', serviceAccount: { namespace: 'apps', name: 'agent' } },
        { name: 'all', serviceAccount: { namespace: 'research' } },
        { name: 'ci', secret: { name: 'keys', key: 'ci' } },
        { name: 'late', secret: { name: 'keys', key: 'late' } },
      ],
    },
    upstreams: [{ name: 'next', dialect: 'raw', url: 'https://next.example', gateway: {} }],
    routes: [{ name: 'all', upstreams: [{ name: 'next' }] }],
  },
};

const SECRETS = new Map([['keys', { exists: true, version: '1', keys: new Set(['ci']) } as const]]);

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test("parseCompiled() reads a gateway's config as it was compiled", () => {
  const { config } = compile(RESOURCE, SECRETS, KEYS);
  assert.deepEqual(
    config.gateway?.clients.map(({ kind, name }) => [kind, name]),
    [
      ['serviceAccount', 'one'],
      ['serviceAccount', 'all'],
      ['secret', 'ci'],
      ['invalid', 'late'],
    ],
  );
  const parsed = parseCompiled(asJson(config));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.deepEqual(parsed.config, config);
});

test('a rotation of the keys is another revision, and so is another client', () => {
  const revision = (resource: StreamProxy, keys?: TokenKeys) => compile(resource, SECRETS, keys).config.revision;
  const first = revision(RESOURCE, KEYS);
  assert.equal(revision(RESOURCE, structuredClone(KEYS)), first);
  assert.notEqual(revision(RESOURCE, { ...KEYS, keys: KEYS.keys.slice(1) }), first);
  const fewer = structuredClone(RESOURCE);
  fewer.spec.gateway?.clients.pop();
  assert.notEqual(revision(fewer, KEYS), first);
});

test('parseCompiled() names what is wrong in a gateway', () => {
  const config = asJson(compile(RESOURCE, SECRETS, KEYS).config) as Record<string, unknown>;
  const gateway = { tls: { certFile: '../x' }, clients: [{ kind: 'anybody', name: 'a' }], tokenKeys: { keys: [{}] } };
  const parsed = parseCompiled({ ...config, gateway });
  assert.ok(!parsed.ok);
  const paths = parsed.problems.map(({ path }) => path);
  for (const path of ['tls.certFile', 'tls.keyFile', 'clients[0].kind', 'tokenKeys.issuer', 'tokenKeys.keys[0].alg']) {
    assert.ok(paths.includes(`gateway.${path}`), `${path} is not in ${paths.join()}`);
  }
});

test('tokenKeysOf() keeps the keys that it knows, in one order, and nothing else of them', () => {
  const [a, b] = KEYS.keys;
  const foreign = { kid: 'z', kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', x: 'AA' };
  const keySet = { keys: [{ ...b, use: 'sig' }, foreign, { ...a, d: 'private' }, null, 'text'] };
  assert.deepEqual(tokenKeysOf({ issuer: KEYS.issuer }, keySet), KEYS);
  for (const [discovery, set] of [
    [{}, keySet],
    [{ issuer: KEYS.issuer }, { keys: [foreign] }],
    [null, null],
    [{ issuer: '' }, keySet],
  ] as const) {
    assert.equal(tokenKeysOf(discovery, set), undefined);
  }
});
