/** What is kept of a pod: a cluster has thousands, and a whole pod is some 10 KiB. */
import { PROXY_LABEL, REVISION_ANNOTATION, SIDECAR_CONTAINER } from '#contract/names.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import {
  type EndedContainer,
  type LeftBehind,
  leftBehind,
  type MountingContainer,
  type PodVolumes,
} from '../remainder/left-behind.ts';
import type { Key } from './key.ts';

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Name of the StreamProxy whose sidecar the pod carries. */
  readonly proxy: string;
  /** Empty while the pod has none. */
  readonly ip: string;
  readonly phase: string;
  readonly deleting: boolean;
  /** Value of the annotation that makes kubelet refresh the volume; empty when absent. */
  readonly revisionAnnotation: string;
  /** Port of /revision, from the sidecar itself: a change of the resource's port reaches new pods only. undefined: no sidecar. */
  readonly metricsPort: number | undefined;
  /** Identifies one run of the sidecar's process; empty while it does not run. */
  readonly run: string;
  /** What the sidecar had not delivered when it ended; absent: nothing, or it has not ended. */
  readonly left?: LeftBehind;
}

interface PodShape {
  readonly spec?: PodVolumes & {
    readonly initContainers?: readonly Container[];
    readonly containers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}
interface Container extends MountingContainer {
  readonly name: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}
interface ContainerStatus extends EndedContainer {
  readonly name: string;
  readonly containerID?: string;
  readonly state?: EndedContainer['state'] & { readonly running?: unknown };
}

/** Name of the sidecar's port that serves /revision. */
export const METRICS_PORT_NAME = 'sluice-metrics';

export function podFacts(pod: KubeObject): PodFacts {
  const { metadata } = pod;
  const { spec, status } = pod as PodShape;
  const isSidecar = ({ name }: { readonly name: string }): boolean => name === SIDECAR_CONTAINER;
  const sidecar = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(isSidecar);
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const own = statuses.find(isSidecar);
  const left = leftBehind(own, sidecar, spec ?? {});
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    proxy: metadata.labels?.[PROXY_LABEL] ?? '',
    ip: status?.podIP ?? '',
    phase: status?.phase ?? 'Unknown',
    deleting: metadata.deletionTimestamp !== undefined,
    revisionAnnotation: metadata.annotations?.[REVISION_ANNOTATION] ?? '',
    metricsPort: sidecar?.ports?.find((port) => port.name === METRICS_PORT_NAME)?.containerPort,
    run: own?.state?.running === undefined ? '' : (own.containerID ?? 'running'),
    ...(left && { left }),
  };
}

/** Whether every container of the pod has ended for good. */
export function hasEnded({ phase }: PodFacts): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Whether a sidecar runs in the pod, so that it can be told and asked. It does long before the pod is Running: init containers come later. */
export function isServing(pod: PodFacts): boolean {
  return !pod.deleting && !hasEnded(pod) && pod.ip !== '' && pod.run !== '' && pod.metricsPort !== undefined;
}

export function proxyKeyOf(pod: PodFacts): Key {
  return `${pod.namespace}/${pod.proxy}`;
}
