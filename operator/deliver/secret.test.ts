import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from '#contract/compile/compile.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { SecretFacts } from '#contract/secrets.ts';
import { ApiError } from '../cluster/api-error.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import { TerminalError } from '../errors.ts';
import { AppliedObjects } from './apply-once.ts';
import { type Delivery, deliverSecret, SecretChangedError } from './secret.ts';

const RESOURCE: StreamProxy = {
  metadata: { name: 'llm', namespace: 'n', uid: 'u', generation: 1 },
  spec: {
    upstreams: [
      { name: 'a', dialect: 'anthropic', url: 'https://a', credentials: [{ secret: { name: 'key', key: 'k' } }] },
    ],
    routes: [{ name: 'all', upstreams: [{ name: 'a' }] }],
  },
};
const signal = new AbortController().signal;

function delivery(version: string): Delivery {
  const secrets = new Map<string, SecretFacts>([['key', { exists: true, version, keys: new Set(['k']) }]]);
  return { resource: RESOURCE, compiled: compile(RESOURCE, secrets), secrets };
}

/** A cluster with one Secret to read; what is applied is kept. */
function scene(labels?: Record<string, string>) {
  const applied: KubeObject[] = [];
  let there: KubeObject | undefined = labels && { metadata: { name: 'sluice-llm', resourceVersion: '1', labels } };
  let failure: Error | undefined;
  const cluster = {
    get: async () => ({ metadata: { name: 'key', resourceVersion: '7' }, data: { k: 'c2VjcmV0' } }),
    getMetadata: async () => there,
    apply: async (_kind: unknown, object: KubeObject) => {
      if (failure) throw failure;
      applied.push(object);
      there = { ...object, metadata: { ...object.metadata, resourceVersion: String(applied.length + 1) } };
      return there;
    },
  } as unknown as Cluster;
  return {
    applied,
    deliver: (what: Delivery, once: AppliedObjects) => deliverSecret({ cluster, applied: once }, what, signal),
    once: new AppliedObjects(cluster),
    touch: () => (there = there && { ...there, metadata: { ...there.metadata, resourceVersion: 'touched' } }),
    fail: (error: Error) => (failure = error),
  };
}

test('the Secret is written once, and again when somebody touched it', async () => {
  const { applied, deliver, once, touch } = scene();
  assert.equal(await deliver(delivery('7'), once), true);
  assert.equal(await deliver(delivery('7'), once), false);
  assert.equal(applied.length, 1);
  touch();
  assert.equal(await deliver(delivery('7'), once), true);
  assert.equal(applied.length, 2);
});

test('values of another version than was compiled are not delivered', async () => {
  const { applied, deliver, once } = scene();
  await assert.rejects(deliver(delivery('6'), once), SecretChangedError);
  assert.deepEqual(applied, []);
});

test("somebody else's Secret of that name is not taken over", async () => {
  const { applied, deliver, once } = scene({ app: 'other' });
  await assert.rejects(deliver(delivery('7'), once), TerminalError);
  assert.deepEqual(applied, []);
});

test("the server's words on a refused Secret are not passed on, as they may quote it", async () => {
  for (const status of [400, 413, 422, 500]) {
    const { deliver, once, fail } = scene();
    fail(new ApiError(status, 'Invalid', 'data[k]: Invalid value: "c2VjcmV0"'));
    await assert.rejects(deliver(delivery('7'), once), (error: Error) => !error.message.includes('c2VjcmV0'));
  }
});
