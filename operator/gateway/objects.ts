/**
 * Settings + StreamProxy with spec.gateway → its Deployment, Service and disruption budget. Pure. The container is the
 * sidecar's own, told to be a gateway; policy-operator-gateways.yaml of the chart lets the operator write no other shape.
 */
import {
  CONFIG_VOLUME,
  gatewayName,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  PROXY_LABEL,
  STATE_VOLUME,
} from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { Kind, KubeObject } from '../cluster/kinds.ts';
import { KINDS } from '../cluster/kinds.ts';
import { ownedMetadata } from '../deliver/owned.ts';
import { profileSpec, type SidecarSettings } from '../inject/sidecar.ts';

export type Gateway = NonNullable<StreamProxy['spec']['gateway']>;

export const COMPONENT_LABEL = 'app.kubernetes.io/component';
const COMPONENT = 'gateway';
const PORT_NAME = 'gateway';
const DEFAULT_GRACE_SECONDS = 330;
/** Of the grace, what flushing the log and a last word need. */
const AFTER_DRAIN_SECONDS = 10;
/** Until every node knows that a pod is no longer among the Service's. */
const LINGER_MS = 5000;
const MS = 1000;

/** Where pods of the cluster reach the gateway. */
export function gatewayUrl({ metadata, spec }: Pick<StreamProxy, 'metadata' | 'spec'>): string {
  const scheme = spec.gateway?.tls ? 'https' : 'http';
  const port = servicePort(spec.gateway);
  const isDefault = port === (spec.gateway?.tls ? 443 : 80);
  return `${scheme}://${gatewayName(metadata.name)}.${metadata.namespace ?? 'default'}.svc${isDefault ? '' : `:${port}`}`;
}

export interface GatewayObject {
  readonly kind: Kind;
  readonly object: KubeObject;
}

/** In the order in which they are written. */
export function gatewayObjects(settings: SidecarSettings, resource: StreamProxy, gateway: Gateway): GatewayObject[] {
  return [
    { kind: KINDS.podDisruptionBudget, object: disruptionBudget(resource) },
    { kind: KINDS.service, object: service(resource, gateway) },
    { kind: KINDS.deployment, object: deployment(settings, resource, gateway) },
  ];
}

function metadataOf(resource: StreamProxy): KubeObject['metadata'] {
  const metadata = ownedMetadata(resource, gatewayName(resource.metadata.name));
  return { ...metadata, labels: { ...metadata.labels, ...selectorOf(resource) } };
}

function selectorOf({ metadata }: StreamProxy): Record<string, string> {
  return { [PROXY_LABEL]: metadata.name, [COMPONENT_LABEL]: COMPONENT };
}

function servicePort(gateway: Gateway | undefined): number {
  return gateway?.port ?? (gateway?.tls ? 443 : 80);
}

function service(resource: StreamProxy, gateway: Gateway): KubeObject {
  const name = gateway.tls ? 'https' : 'http';
  const port = { name, port: servicePort(gateway), targetPort: PORT_NAME, protocol: 'TCP', appProtocol: name };
  return { metadata: metadataOf(resource), spec: { type: 'ClusterIP', selector: selectorOf(resource), ports: [port] } };
}

function disruptionBudget(resource: StreamProxy): KubeObject {
  const selector = { matchLabels: selectorOf(resource) };
  return { metadata: metadataOf(resource), spec: { maxUnavailable: 1, selector } };
}

function deployment(settings: SidecarSettings, resource: StreamProxy, gateway: Gateway): KubeObject {
  const labels = { ...selectorOf(resource), [MANAGED_BY_LABEL]: MANAGED_BY, 'app.kubernetes.io/name': 'sluice' };
  return {
    metadata: metadataOf(resource),
    spec: {
      replicas: gateway.replicas ?? 2,
      selector: { matchLabels: selectorOf(resource) },
      // A stream that a pod has is finished by it; meanwhile the next one serves.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels }, spec: podSpec(settings, resource, gateway) },
    },
  };
}

function podSpec(settings: SidecarSettings, resource: StreamProxy, gateway: Gateway): unknown {
  const graceSeconds = gateway.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const { volumes } = profileSpec(settings, resource);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: selectorOf(resource) },
      matchLabelKeys: ['pod-template-hash'],
    })),
    containers: [container(settings, resource, gateway, graceSeconds)],
    volumes: volumes.filter((volume) => OWN_VOLUMES.includes(volume['name'] as string)),
  };
}

function container(
  settings: SidecarSettings,
  resource: StreamProxy,
  gateway: Gateway,
  graceSeconds: number,
): Record<string, unknown> {
  const { restartPolicy: _sidecar, ...base } = profileSpec(settings, resource).container;
  const { env, ports, volumeMounts } = base as unknown as ContainerLists;
  const listenPort = Number(env.find(({ name }) => name === 'SLUICE_LISTEN_PORT')?.value);
  const drainMs = graceSeconds * MS - LINGER_MS - AFTER_DRAIN_SECONDS * MS;
  return {
    ...base,
    resources: resourcesOf(settings, gateway),
    env: [
      ...env,
      { name: 'SLUICE_GATEWAY', value: gateway.tls ? 'tls' : 'plaintext' },
      // The pod's address and not every one: what is on its loopback is for whoever may forward a port.
      { name: 'SLUICE_LISTEN_HOST', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      { name: 'SLUICE_LINGER_MS', value: String(LINGER_MS) },
      { name: 'SLUICE_DRAIN_TIMEOUT_MS', value: String(drainMs) },
    ],
    ports: [{ name: PORT_NAME, containerPort: listenPort, protocol: 'TCP' }, ...ports],
    volumeMounts: volumeMounts.filter(({ name }) => OWN_VOLUMES.includes(name)),
  };
}

interface ContainerLists {
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly unknown[];
  readonly volumeMounts: readonly { readonly name: string }[];
}

/** A gateway has no token whose path had to be covered, and shows none to other gateways. */
const OWN_VOLUMES: readonly string[] = [CONFIG_VOLUME, STATE_VOLUME];

function resourcesOf(settings: SidecarSettings, { resources }: Gateway): unknown {
  return {
    requests: { ...settings.resources.requests, ...resources?.requests },
    limits: { ...settings.resources.limits, ...resources?.limits },
  };
}
