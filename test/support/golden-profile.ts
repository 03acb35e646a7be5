/** The profile that every pod of test/golden/inject is injected with. */
import type { SidecarProfile, StreamProxy } from '../../contract/resources.ts';
import { profileSpec } from '../../operator/inject/sidecar.ts';

export const GOLDEN_PROXY: StreamProxy = {
  metadata: { name: 'llm', namespace: 'agents' },
  spec: {
    upstreams: [{ name: 'claude', dialect: 'anthropic', url: 'https://api.anthropic.com' }],
    routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
  },
};

export const GOLDEN_PROFILE: SidecarProfile = {
  metadata: { name: 'llm', namespace: 'agents' },
  spec: profileSpec(
    {
      image: 'example.org/sluice:1.0.0',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    },
    GOLDEN_PROXY,
  ),
};
