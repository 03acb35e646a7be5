/** The profiles that the pods of test/golden/inject are injected with; the annotation names one of them. */
import type { SidecarProfile, StreamProxy } from '../../contract/resources.ts';
import { profileSpec } from '../../operator/inject/sidecar.ts';

export const GOLDEN_PROXY: StreamProxy = {
  metadata: { name: 'llm', namespace: 'agents' },
  spec: {
    upstreams: [{ name: 'claude', dialect: 'anthropic', url: 'https://api.anthropic.com' }],
    routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
  },
};

/** With volumes of the application, and resources of its own. */
const VOLUMES_PROXY: StreamProxy = {
  metadata: { name: 'llm-volumes', namespace: 'agents' },
  spec: {
    ...GOLDEN_PROXY.spec,
    sidecar: {
      volumeMounts: [
        { name: 'work', mountPath: '/workspace' },
        { name: 'data', mountPath: '/documents', subPath: 'public/texts', readOnly: true },
      ],
      stateVolume: { name: 'data', subPath: 'sluice' },
      resources: { requests: { cpu: '50m' }, limits: { memory: '512Mi' } },
    },
  },
};

function profileOf(proxy: StreamProxy): SidecarProfile {
  const spec = profileSpec(
    {
      image: 'example.org/sluice:1.0.0',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    },
    proxy,
  );
  return { metadata: proxy.metadata, spec };
}

export const GOLDEN_PROFILE = profileOf(GOLDEN_PROXY);
export const GOLDEN_PROFILES: readonly SidecarProfile[] = [GOLDEN_PROFILE, profileOf(VOLUMES_PROXY)];
