import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectProxy } from './proxies.ts';

test('projectProxy() keeps all but what is as large as the resource and says nothing new', () => {
  const kept = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    spec: { upstreams: [], routes: [], ofTomorrow: 1 },
    status: { revision: 'r' },
  };
  const metadata = { name: 'p', namespace: 'n', uid: 'u', generation: 2, labels: { a: 'b' } };
  const object = {
    ...kept,
    metadata: {
      ...metadata,
      managedFields: [{ manager: 'kubectl' }],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'example.org/mine': 'stays' },
    },
  };
  assert.deepEqual(projectProxy(object), {
    ...kept,
    metadata: { ...metadata, annotations: { 'example.org/mine': 'stays' } },
  });
  assert.deepEqual(projectProxy({ ...kept, metadata }), { ...kept, metadata });
});
