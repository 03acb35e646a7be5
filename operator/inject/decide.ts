/** Pure: pod + profile → inject, skip with a named reason, or refuse with the way out. The model that the admission policy is held to. */
import { INJECT_ANNOTATION, SIDECAR_CONTAINER } from '#contract/names.ts';
import type { SidecarProfile } from '#contract/resources.ts';
import { MOUNTABLE_KINDS } from './mounts.ts';
import type { Pod } from './pod.ts';

export type SkipReason =
  /** The pod does not ask for a sidecar. */
  | 'not-asked'
  /** The pod has its sidecar: a second pass changes nothing. */
  | 'already-injected'
  /** A static pod's mirror: the kubelet runs it without asking. */
  | 'mirror-pod';

export type RefuseReason =
  /** The annotation names nothing. */
  | 'empty-name'
  /** The StreamProxy does not exist, or is not compiled yet. */
  | 'no-profile'
  /** The pod's loopback is the node's. */
  | 'host-network'
  /** Other processes could read the sidecar's memory and files. */
  | 'shared-processes'
  /** The sidecar is a Linux program. */
  | 'other-system'
  | 'container-name-taken'
  | 'volume-name-taken'
  /** The pod lacks a volume that the sidecar is to mount. */
  | 'volume-missing'
  /** The volume may hold credentials, or belongs to the node. */
  | 'volume-kind';

export type Decision =
  | { readonly kind: 'inject'; readonly profile: SidecarProfile }
  | { readonly kind: 'skip'; readonly reason: SkipReason }
  | { readonly kind: 'refuse'; readonly reason: RefuseReason; readonly message: string };

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** @param profile of the pod's namespace, with the name that the annotation gives; undefined: there is none */
export function decide(pod: Pod, profile: SidecarProfile | undefined): Decision {
  const annotations = pod.metadata.annotations ?? {};
  const asked = annotations[INJECT_ANNOTATION];
  if (asked === undefined) return { kind: 'skip', reason: 'not-asked' };
  if (annotations[MIRROR_ANNOTATION] !== undefined) return { kind: 'skip', reason: 'mirror-pod' };
  if (pod.spec.initContainers?.some(isSidecar)) return { kind: 'skip', reason: 'already-injected' };
  if (asked === '') {
    return refuse(
      'empty-name',
      `The annotation ${INJECT_ANNOTATION} is empty; set it to the name of a StreamProxy, or remove it.`,
    );
  }
  if (!profile) return refuse('no-profile', missingProfile(asked));
  return (
    refusalOfShape(pod) ?? refusalOfNames(pod, profile) ?? refusalOfVolumes(pod, profile) ?? { kind: 'inject', profile }
  );
}

/** Shapes that would hand the sidecar's listener or keys to others. */
function refusalOfShape({ spec }: Pod): Decision | undefined {
  if (spec.hostNetwork) {
    return refuse(
      'host-network',
      'The pod uses the host network, where every process of the node could use the sidecar; unset spec.hostNetwork, or remove the annotation.',
    );
  }
  const shared = spec.shareProcessNamespace ? 'shareProcessNamespace' : spec.hostPID ? 'hostPID' : undefined;
  if (shared) {
    return refuse(
      'shared-processes',
      `Other processes could read the sidecar's memory and files through /proc, keys included; unset spec.${shared}, or remove the annotation.`,
    );
  }
  if ((spec.os?.name ?? 'linux') === 'linux') return undefined;
  return refuse(
    'other-system',
    `The sidecar is a Linux program and spec.os.name is "${spec.os?.name}"; remove the annotation.`,
  );
}

/** The API server refuses these itself, as duplicates; here they get a message that tells why. */
function refusalOfNames({ spec }: Pod, profile: SidecarProfile): Decision | undefined {
  const taken = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => name === SIDECAR_CONTAINER);
  if (taken)
    return refuse('container-name-taken', `A container of the pod is named "${taken.name}"; give it another name.`);
  const names = new Set(profile.spec.volumes.map((volume) => volume['name']));
  const volume = spec.volumes?.find(({ name }) => names.has(name));
  return volume && refuse('volume-name-taken', `A volume of the pod is named "${volume.name}"; give it another name.`);
}

/** Volumes of the pod that the sidecar is to mount. */
function refusalOfVolumes({ spec }: Pod, profile: SidecarProfile): Decision | undefined {
  for (const { name } of profile.spec.volumeMounts ?? []) {
    const volume = spec.volumes?.find((each) => each.name === name);
    if (!volume) {
      return refuse(
        'volume-missing',
        `The sidecar mounts the volume "${name}" and the pod has none of that name; add it to spec.volumes, or take it out of spec.sidecar of StreamProxy "${profile.metadata.name}".`,
      );
    }
    if (!MOUNTABLE_KINDS.some((kind) => volume[kind] !== undefined)) {
      return refuse(
        'volume-kind',
        `The sidecar mounts only volumes of data (${MOUNTABLE_KINDS.join(', ')}) and "${name}" is of another kind; put the files on one of these, or take it out of spec.sidecar of StreamProxy "${profile.metadata.name}".`,
      );
    }
  }
  return undefined;
}

function isSidecar(container: Pod['spec']['containers'][number]): boolean {
  return container.name === SIDECAR_CONTAINER && container.restartPolicy === 'Always';
}

function missingProfile(asked: string): string {
  return (
    `The annotation ${INJECT_ANNOTATION} names "${asked}", but this namespace has no such StreamProxy, or it is not compiled yet; ` +
    'create it, or look at its conditions, and try again.'
  );
}

function refuse(reason: RefuseReason, message: string): Decision {
  return { kind: 'refuse', reason, message };
}
