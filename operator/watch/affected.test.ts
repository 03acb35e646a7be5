import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { keysOfPodChange, proxyNeedsLook, secretNeedsLook } from './affected.ts';
import { isServing, type PodFacts, podFacts } from './pod-facts.ts';
import { projectSecret } from './secrets.ts';

const POD: PodFacts = {
  namespace: 'n',
  name: 'p',
  uid: '1',
  proxy: 'llm',
  ip: '10.0.0.1',
  phase: 'Running',
  deleting: false,
  revisionAnnotation: 'r1',
  metricsPort: 9019,
  run: 'containerd://1',
};

function proxy(generation: number, status?: StreamProxy['status']): StreamProxy {
  return {
    metadata: { name: 'llm', uid: '1', generation },
    spec: { upstreams: [], routes: [] },
    ...(status && { status }),
  };
}

test('our own write of a status needs no second look, a change of the spec does', () => {
  assert.equal(proxyNeedsLook(proxy(1), proxy(1, { revision: 'r1' })), false);
  assert.equal(proxyNeedsLook(proxy(1), proxy(2)), true);
  assert.equal(proxyNeedsLook(undefined, proxy(1)), true);
  assert.equal(proxyNeedsLook(proxy(1), undefined), true);
  assert.equal(proxyNeedsLook(proxy(1), { ...proxy(1), metadata: { name: 'llm', uid: '2', generation: 1 } }), true);
});

const POD_CASES: readonly {
  title: string;
  before: PodFacts | undefined;
  after: PodFacts | undefined;
  keys: string[];
}[] = [
  { title: 'a new pod', before: undefined, after: POD, keys: ['n/llm'] },
  { title: 'a pod that is gone', before: POD, after: undefined, keys: ['n/llm'] },
  { title: 'our own annotation', before: POD, after: { ...POD, revisionAnnotation: 'r2' }, keys: [] },
  { title: 'another address', before: POD, after: { ...POD, ip: '10.0.0.2' }, keys: ['n/llm'] },
  { title: 'a sidecar that was restarted', before: POD, after: { ...POD, run: 'containerd://2' }, keys: ['n/llm'] },
  { title: 'a pod that is being deleted', before: POD, after: { ...POD, deleting: true }, keys: ['n/llm'] },
  { title: 'a pod that does not serve yet', before: { ...POD, run: '' }, after: { ...POD, run: '', ip: '' }, keys: [] },
  {
    title: 'a pod that came to another proxy',
    before: POD,
    after: { ...POD, proxy: 'other' },
    keys: ['n/llm', 'n/other'],
  },
  { title: 'a pod whose label was taken away', before: POD, after: { ...POD, proxy: '' }, keys: ['n/llm'] },
];

for (const { title, before, after, keys } of POD_CASES) {
  test(`keysOfPodChange(): ${title}`, () => assert.deepEqual(keysOfPodChange(before, after), keys));
}

test('a Secret is looked at when its existence or version changes', () => {
  const one = { exists: true, version: '1', keys: new Set(['a']) } as const;
  assert.equal(secretNeedsLook(undefined, { exists: false }), true);
  assert.equal(secretNeedsLook({ exists: false }, { exists: false }), false);
  assert.equal(secretNeedsLook(one, { ...one }), false);
  assert.equal(secretNeedsLook(one, { ...one, version: '2' }), true);
  assert.equal(secretNeedsLook(one, { exists: false }), true);
});

test('of a Secret no value is kept, and an empty value is no key', () => {
  const facts = projectSecret({ metadata: { name: 's', resourceVersion: '5' }, data: { key: 'c2VjcmV0', empty: '' } });
  assert.deepEqual(facts, { exists: true, version: '5', keys: new Set(['key']) });
  assert.ok(!JSON.stringify(facts).includes('c2VjcmV0'));
});

test('the metrics port is read from the sidecar of the pod, and a pod serves while its sidecar runs', () => {
  const status = (state: object) => ({
    phase: 'Pending',
    podIP: '10.0.0.1',
    initContainerStatuses: [{ name: 'sluice', containerID: 'c://1', state }],
  });
  const spec = {
    initContainers: [{ name: 'sluice', ports: [{ name: 'sluice-metrics', containerPort: 9100 }] }],
    containers: [{ name: 'app' }],
  };
  const metadata = { name: 'p', namespace: 'n', uid: '1', labels: { 'sluice.dev/proxy': 'llm' } };
  const serving = podFacts({ metadata, spec, status: status({ running: {} }) });
  assert.equal(serving.metricsPort, 9100);
  assert.equal(isServing(serving), true, 'long before the pod is Running');
  assert.equal(isServing(podFacts({ metadata, spec, status: status({ waiting: {} }) })), false);
  assert.equal(isServing({ ...serving, phase: 'Succeeded' }), false);
});
