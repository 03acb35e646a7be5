import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { profileSpec } from './sidecar.ts';

const SETTINGS = { image: 'x:1', imagePullPolicy: 'IfNotPresent', resources: { requests: {}, limits: {} } } as const;

function profile(sidecar?: StreamProxy['spec']['sidecar']) {
  const spec = { upstreams: [], routes: [], ...(sidecar && { sidecar }) };
  const { container, volumes, volumeMounts } = profileSpec(SETTINGS, { metadata: { name: 'llm' }, spec });
  const named = (container['env'] as { name: string; value?: string }[]).find(({ name }) => name === 'SLUICE_VOLUMES');
  const own = (container['volumeMounts'] as { name: string }[]).map(({ name }) => name);
  return { own, named: named?.value, volumeMounts, volumes: volumes.map((volume) => volume['name']) };
}

test('profileSpec() without volumes of the application says nothing of them', () => {
  for (const sidecar of [undefined, {}, { volumeMounts: [] }]) {
    const { own, named, volumeMounts } = profile(sidecar);
    assert.deepEqual(own, ['sluice-config', 'sluice-state', 'sluice-no-token']);
    assert.deepEqual([named, volumeMounts], [undefined, undefined]);
  }
});

test("profileSpec() keeps the application's volumes beside its own, and names each once", () => {
  const { own, named, volumeMounts } = profile({
    volumeMounts: [
      { name: 'work', mountPath: '/workspace', readOnly: false },
      { name: 'work', mountPath: '/manuals', subPath: 'published', readOnly: true },
      { name: 'more', mountPath: '/more' },
    ],
  });
  assert.deepEqual(own, ['sluice-config', 'sluice-state', 'sluice-no-token']);
  assert.equal(named, 'work more');
  assert.deepEqual(volumeMounts, [
    { name: 'work', mountPath: '/workspace' },
    { name: 'work', mountPath: '/manuals', subPath: 'published', readOnly: true },
    { name: 'more', mountPath: '/more' },
  ]);
});

test("profileSpec() with a stateVolume has no emptyDir for the sidecar's state", () => {
  const { own, named, volumeMounts, volumes } = profile({ stateVolume: { name: 'records' } });
  assert.deepEqual(own, ['sluice-config', 'sluice-no-token']);
  assert.deepEqual(volumes, ['sluice-config', 'sluice-no-token']);
  assert.equal(named, 'records');
  assert.deepEqual(volumeMounts, [{ name: 'records', mountPath: '/var/lib/sluice' }]);
});
