import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompiledConfig, ValidUpstream } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { Snapshots } from './snapshot.ts';

const upstream = (name: string, origin: string, more: Partial<ValidUpstream> = {}): ValidUpstream => ({
  kind: 'valid',
  name,
  dialect: 'raw',
  origin,
  basePath: '',
  credentials: [],
  timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
  modelMap: [],
  translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
  ...more,
});

const loaded = (upstreams: ValidUpstream[], credentials: [string, string][] = []) => {
  const config: CompiledConfig = {
    version: 1,
    name: 'n',
    namespace: 'ns',
    generation: 1,
    revision: 'r',
    listen: { port: 1 },
    metrics: { port: 2 },
    upstreams,
    routes: [],
    logging: { maxBodyBytes: 1, redact: [], assemble: false, spoolBytes: 1, spoolMaxAgeMs: 1, targets: [] },
  };
  return { config, credentials: new Map(credentials) };
};

test('Snapshots refuse before the first config', () => {
  assert.throws(
    () => new Snapshots().acquire(),
    (error) => error instanceof ProxyError && error.kind === 'unavailable',
  );
});

test('Snapshots carry pools of unchanged upstreams over, and close others with their last exchange', () => {
  const snapshots = new Snapshots();
  const [a, b] = [upstream('a', 'http://a'), upstream('b', 'http://b')];
  snapshots.swap(loaded([a, b]));
  const held = snapshots.acquire();
  const [poolOfA, poolOfB] = [held.pool(a), held.pool(b)];
  snapshots.swap(loaded([upstream('renamed', 'http://a')]));
  const next = snapshots.acquire();
  assert.equal(next.pool(upstream('renamed', 'http://a')), poolOfA);
  assert.equal(held.pool(b), poolOfB, 'an exchange keeps what it began with');
  assert.equal(snapshots.openPools, 2);
  held.release();
  assert.equal(snapshots.openPools, 1);
  next.release();
  assert.equal(snapshots.openPools, 1);
  snapshots.close();
  assert.equal(snapshots.openPools, 0);
});

test('Snapshots open another pool when the limits, the way out or the trust change', () => {
  const snapshots = new Snapshots();
  const base = upstream('a', 'http://a');
  snapshots.swap(
    loaded([
      base,
      upstream('slower', 'http://a', { timeouts: { ...base.timeouts, connectMs: 2 } }),
      upstream('out', 'http://a', { proxyUrl: 'http://egress:1' }),
      upstream('same', 'http://a', { dialect: 'openai' }),
    ]),
  );
  assert.equal(snapshots.openPools, 3);
  snapshots.close();
});

test('Snapshots keep what is in force when the next cannot be used, and say why without a value', () => {
  const snapshots = new Snapshots();
  snapshots.swap(loaded([upstream('a', 'http://a')]));
  const secret = { kind: 'secret', file: 'key', header: 'x-api-key', scheme: 'bare' } as const;
  const problems = snapshots.swap(
    loaded([upstream('b', 'http://b', { credentials: [secret], caFile: 'ca' })], [['ca', 'no certificate: sk-1']]),
  );
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['key', 'ca'],
  );
  assert.doesNotMatch(JSON.stringify(problems), /sk-1/);
  const garbled = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const [problem] = snapshots.swap(loaded([upstream('b', 'http://b', { caFile: 'ca' })], [['ca', garbled]]));
  assert.match(problem?.message ?? '', /^Authorities of upstream "b": Expected .* that can be parsed$/);
  assert.equal(snapshots.config?.upstreams[0]?.name, 'a');
  assert.equal(snapshots.openPools, 1);
  snapshots.close();
});
