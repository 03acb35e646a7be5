import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GOLDEN_PROFILE } from '../../test/support/golden-profile.ts';
import { inject } from './inject.ts';
import { injectionPatch } from './patch.ts';
import type { Pod } from './pod.ts';

/** With ordinary prototypes: deep equality looks at them, and structuredClone gives nothing else. */
function record<T>(
  shape: { [K in keyof T]: fc.Arbitrary<T[K]> },
  options: { requiredKeys?: (keyof T & string)[] } = {},
): fc.Arbitrary<T> {
  return fc.record(shape, { ...options, noNullPrototype: true } as object) as fc.Arbitrary<T>;
}

const envName = fc.constantFrom(
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'OPENAI_API_KEY',
  'NO_PROXY',
  'no_proxy',
  'X',
);
const env = fc.array(
  fc.oneof(
    record({ name: envName, value: fc.constantFrom('', 'a', '127.0.0.1,localhost') }),
    record({ name: envName, valueFrom: fc.constant({ fieldRef: { fieldPath: 'metadata.name' } }) }),
    record({ name: envName }),
  ),
  { maxLength: 6 },
);
const container = record(
  { name: fc.constantFrom('app', 'b', 'c/~d'), env, envFrom: fc.constantFrom([], [{ secretRef: { name: 'x' } }]) },
  { requiredKeys: ['name'] },
);
const anyPod: fc.Arbitrary<Pod> = record({
  metadata: record(
    {
      annotations: fc.constant({ 'sluice.dev/inject': 'llm' }),
      labels: fc.dictionary(fc.constantFrom('app', 'sluice.dev/proxy'), fc.constant('v'), { noNullPrototype: true }),
    },
    { requiredKeys: ['annotations'] },
  ),
  spec: record(
    {
      containers: fc.array(container, { minLength: 1, maxLength: 3 }),
      initContainers: fc.array(container, { maxLength: 2 }),
      volumes: fc.array(record({ name: fc.constantFrom('data', 'tmp') }), { maxLength: 2 }),
    },
    { requiredKeys: ['containers'] },
  ),
});

test('inject() applied twice is inject() applied once', () => {
  fc.assert(
    fc.property(anyPod, (pod) => {
      const once = inject(pod, GOLDEN_PROFILE);
      assert.equal(once.decision.kind, 'inject');
      const twice = inject(once.pod, GOLDEN_PROFILE);
      assert.deepEqual(twice, { decision: { kind: 'skip', reason: 'already-injected' }, pod: once.pod });
    }),
  );
});

test('inject() keeps every variable of the user, in order, and changes none but NO_PROXY', () => {
  fc.assert(
    fc.property(anyPod, (pod) => {
      const after = inject(pod, GOLDEN_PROFILE).pod;
      for (const [index, before] of pod.spec.containers.entries()) {
        const own = before.env ?? [];
        const kept = after.spec.containers[index]?.env?.slice(0, own.length) ?? [];
        assert.deepEqual(
          kept.filter(({ name }) => name.toUpperCase() !== 'NO_PROXY'),
          own.filter(({ name }) => name.toUpperCase() !== 'NO_PROXY'),
        );
        assert.deepEqual(
          kept.map(({ name }) => name),
          own.map(({ name }) => name),
        );
      }
    }),
  );
});

test('inject() leaves the pod that it was given as it was', () => {
  fc.assert(
    fc.property(anyPod, (pod) => {
      const before = structuredClone(pod);
      inject(pod, GOLDEN_PROFILE);
      assert.deepEqual(pod, before);
    }),
  );
});

test('injectionPatch() makes the sidecar the first init container', () => {
  const pod: Pod = { metadata: {}, spec: { containers: [{ name: 'app' }], initContainers: [{ name: 'first' }] } };
  const paths = injectionPatch(pod, GOLDEN_PROFILE).map(({ path }) => path);
  assert.ok(paths.includes('/spec/initContainers/0'));
  assert.ok(
    paths.indexOf('/spec/initContainers/0/env') < paths.indexOf('/spec/initContainers/0'),
    'environment comes first',
  );
});
