/**
 * Settings + StreamProxy → the SidecarProfile's spec: the ready-made sidecar that the admission policy copies as it is.
 * Every field that the API server would default is written out, as defaulting has run before the policy does.
 */
import { diskAtMost } from '#contract/disk-bytes.ts';
import {
  CONFIG_DIRECTORY,
  CONFIG_VOLUME,
  DEFAULT_LISTEN_PORT,
  DEFAULT_METRICS_PORT,
  deliveredSecretName,
  GATEWAY_TOKEN_DIRECTORY,
  GATEWAY_TOKEN_FILE,
  GATEWAY_TOKEN_VOLUME,
  NO_TOKEN_VOLUME,
  PLACEHOLDER_KEY,
  SIDECAR_CONTAINER,
  SIDECAR_UID,
  STATE_DIRECTORY,
  STATE_VOLUME,
  TERMINATION_MESSAGE_FILE,
  TOKEN_AUDIENCE,
  TOKEN_DIRECTORY,
} from '#contract/names.ts';
import type { SidecarProfile, StreamProxy } from '#contract/resources.ts';
import { METRICS_PORT_NAME } from '../watch/pod-facts.ts';
import { podVolumeMounts, volumesVariable } from './mounts.ts';
import { type Resources, sidecarResources } from './resources.ts';

export interface SidecarSettings {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly resources: Resources;
}

type ProfileSpec = SidecarProfile['spec'];
interface Ports {
  readonly listen: number;
  readonly metrics: number;
}

/** r--r--r--: the sidecar's user is none of root's group. */
const READ_ONLY_MODE = 0o444;
/** The kubelet renews a token when a fifth of this is left. */
const TOKEN_SECONDS = 3600;

export function profileSpec(settings: SidecarSettings, proxy: Pick<StreamProxy, 'metadata' | 'spec'>): ProfileSpec {
  const ports = {
    listen: proxy.spec.listen?.port ?? DEFAULT_LISTEN_PORT,
    metrics: proxy.spec.metrics?.port ?? DEFAULT_METRICS_PORT,
  };
  const token = asksForToken(proxy.spec);
  const ownState = proxy.spec.sidecar?.stateVolume === undefined;
  const mounts = podVolumeMounts(proxy.spec);
  const resources = sidecarResources(settings.resources, proxy.spec.sidecar?.resources);
  return {
    container: container({ ...settings, resources }, ports, {
      volumeMounts: ownMounts(ownState, token),
      env: volumesVariable(mounts),
    }),
    volumes: [...volumes(proxy.metadata.name, ownState), ...(token ? [gatewayToken()] : [])],
    ...(mounts.length > 0 && { volumeMounts: mounts }),
    env: environment(ports),
    ephemeralStorage: diskAtMost(proxy.spec),
    noProxy: '127.0.0.1,localhost',
  };
}

/** What differs from StreamProxy to StreamProxy. */
interface Parts {
  readonly env: readonly unknown[];
  readonly volumeMounts: readonly unknown[];
}

function container(settings: SidecarSettings, ports: Ports, { env, volumeMounts }: Parts): ProfileSpec['container'] {
  return {
    name: SIDECAR_CONTAINER,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    args: ['proxy'],
    restartPolicy: 'Always',
    env: [
      field('SLUICE_POD_NAME', 'metadata.name'),
      field('SLUICE_POD_NAMESPACE', 'metadata.namespace'),
      field('SLUICE_NODE_NAME', 'spec.nodeName'),
      { name: 'SLUICE_LISTEN_PORT', value: String(ports.listen) },
      { name: 'SLUICE_METRICS_PORT', value: String(ports.metrics) },
      { name: 'SLUICE_METRICS_HOST', value: '0.0.0.0' },
      { name: 'SLUICE_CONFIG_DIR', value: CONFIG_DIRECTORY },
      { name: 'SLUICE_STATE_DIR', value: STATE_DIRECTORY },
      { name: 'SLUICE_TERMINATION_MESSAGE_FILE', value: TERMINATION_MESSAGE_FILE },
      ...env,
    ],
    ports: [{ name: METRICS_PORT_NAME, containerPort: ports.metrics, protocol: 'TCP' }],
    // The pod's own containers start when this one has succeeded, so it asks often and gives the config two minutes to come.
    startupProbe: probe('/readyz', ports.metrics, { periodSeconds: 1, failureThreshold: 120 }),
    readinessProbe: probe('/readyz', ports.metrics, { periodSeconds: 5, failureThreshold: 3 }),
    // Patient: a restart cuts every stream of the pod.
    livenessProbe: probe('/healthz', ports.metrics, { periodSeconds: 10, failureThreshold: 6 }),
    resources: structuredClone(settings.resources),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: SIDECAR_UID,
      runAsGroup: SIDECAR_UID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    terminationMessagePath: TERMINATION_MESSAGE_FILE,
    // Not the end of the container's output: records of a stdout target are in it, and have no place in the pod's status.
    terminationMessagePolicy: 'File',
    volumeMounts: [...volumeMounts],
  };
}

function ownMounts(ownState: boolean, token: boolean): unknown[] {
  return [
    { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true },
    ...(ownState ? [{ name: STATE_VOLUME, mountPath: STATE_DIRECTORY }] : []),
    { name: NO_TOKEN_VOLUME, mountPath: TOKEN_DIRECTORY, readOnly: true },
    ...(token ? [{ name: GATEWAY_TOKEN_VOLUME, mountPath: GATEWAY_TOKEN_DIRECTORY, readOnly: true }] : []),
  ];
}

/**
 * The Secret is not optional: it is delivered before the profile, and when somebody deletes it the kubelet keeps the
 * content that running pods have, where an optional one would be emptied under them.
 * Over the token's path lies a downward API volume without items: empty, and writable by nobody.
 */
function volumes(proxyName: string, ownState: boolean): ProfileSpec['volumes'] {
  const secretName = deliveredSecretName(proxyName);
  return [
    { name: CONFIG_VOLUME, secret: { secretName, defaultMode: READ_ONLY_MODE, optional: false } },
    ...(ownState ? [{ name: STATE_VOLUME, emptyDir: {} }] : []),
    { name: NO_TOKEN_VOLUME, downwardAPI: { defaultMode: READ_ONLY_MODE } },
  ];
}

function asksForToken({ upstreams }: StreamProxy['spec']): boolean {
  return upstreams.some(({ credentials = [] }) => credentials.some((source) => source.serviceAccountToken));
}

/** Good for gateways alone: the API server does not take a token of this audience. */
function gatewayToken(): ProfileSpec['volumes'][number] {
  const serviceAccountToken = { audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS, path: GATEWAY_TOKEN_FILE };
  return {
    name: GATEWAY_TOKEN_VOLUME,
    projected: { defaultMode: READ_ONLY_MODE, sources: [{ serviceAccountToken }] },
  };
}

function environment({ listen }: Ports): ProfileSpec['env'] {
  return [
    { name: 'ANTHROPIC_BASE_URL', value: `http://127.0.0.1:${listen}` },
    { name: 'OPENAI_BASE_URL', value: `http://127.0.0.1:${listen}/v1` },
    { name: 'ANTHROPIC_API_KEY', value: PLACEHOLDER_KEY, unless: ['ANTHROPIC_AUTH_TOKEN'], placeholder: true },
    { name: 'OPENAI_API_KEY', value: PLACEHOLDER_KEY, placeholder: true },
  ];
}

function field(name: string, fieldPath: string): unknown {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}

function probe(
  path: string,
  port: number,
  rhythm: { readonly periodSeconds: number; readonly failureThreshold: number },
): unknown {
  return { httpGet: { path, port, scheme: 'HTTP' }, timeoutSeconds: 2, successThreshold: 1, ...rhythm };
}
