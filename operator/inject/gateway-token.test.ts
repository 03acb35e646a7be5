import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { profileSpec } from './sidecar.ts';

const SETTINGS = { image: 'x:1', imagePullPolicy: 'IfNotPresent', resources: { requests: {}, limits: {} } } as const;

function profile(credentials: StreamProxy['spec']['upstreams'][number]['credentials'] = []) {
  const upstream = { name: 'shared', dialect: 'anthropic' as const, url: 'https://sluice-shared.platform.svc' };
  return profileSpec(SETTINGS, {
    metadata: { name: 'llm' },
    spec: { upstreams: [{ ...upstream, gateway: {}, credentials }], routes: [] },
  });
}

test('profileSpec() mounts a token of the audience "sluice" where an upstream asks for it', () => {
  const { container, volumes } = profile([{ client: {} }, { serviceAccountToken: {} }]);
  assert.deepEqual(volumes.at(-1), {
    name: 'sluice-gateway-token',
    projected: {
      defaultMode: 0o444,
      sources: [{ serviceAccountToken: { audience: 'sluice', expirationSeconds: 3600, path: 'token' } }],
    },
  });
  const mounts = container['volumeMounts'] as { name: string; mountPath: string; readOnly?: boolean }[];
  const mount = { name: 'sluice-gateway-token', mountPath: '/var/run/secrets/sluice', readOnly: true };
  assert.deepEqual(mounts.at(-1), mount);
});

test('profileSpec() mounts none where no upstream does', () => {
  assert.ok(!JSON.stringify(profile([{ client: {} }])).includes('serviceAccountToken'));
});
