/** The kinds of objects that we touch, and their paths in the API. */
import { API_GROUP, API_VERSION } from '#contract/names.ts';
import type { ObjectMeta } from '#contract/resources.ts';

export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

/** Any object of the API: only what every object has is typed, all else is kept as it came. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export const KINDS = {
  streamProxy: { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'StreamProxy', plural: 'streamproxies' },
  sidecarProfile: { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'SidecarProfile', plural: 'sidecarprofiles' },
  pod: { apiVersion: 'v1', kind: 'Pod', plural: 'pods' },
  secret: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' },
  deployment: { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  service: { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  podDisruptionBudget: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
  lease: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' },
  event: { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' },
} as const satisfies Record<string, Kind>;

/** @param namespace undefined: all namespaces */
export function collectionPath(kind: Kind, namespace: string | undefined): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`;
  return namespace === undefined
    ? `${root}/${kind.plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${kind.plural}`;
}

export function objectPath(kind: Kind, { namespace, name }: ObjectName): string {
  return `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
}
