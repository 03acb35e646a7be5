/** Pure: a pod's status → what its sidecar left undelivered, as the termination message of its container tells it. */
import { STATE_DIRECTORY } from '#contract/names.ts';
import { parseRemainder, type Remainder } from '#contract/remainder.ts';

export interface LeftBehind {
  readonly remainder: Remainder;
  /** When the sidecar ended; RFC 3339. */
  readonly endedAt: string;
  /** The claim that holds the records that wait, so that they outlive the pod; undefined: its volume ends with the pod. */
  readonly claim?: string;
}

/** What is read of the sidecar's status. */
export interface EndedContainer {
  readonly state?: { readonly terminated?: { readonly message?: string; readonly finishedAt?: string } };
}

/** What is read of the pod's spec. */
export interface PodVolumes {
  readonly volumes?: readonly {
    readonly name: string;
    readonly persistentVolumeClaim?: { readonly claimName: string };
  }[];
}
export interface MountingContainer {
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** @returns undefined while the sidecar runs (or runs again), and when it said nothing, or that nothing is left */
export function leftBehind(
  status: EndedContainer | undefined,
  container: MountingContainer | undefined,
  { volumes = [] }: PodVolumes,
): LeftBehind | undefined {
  const { message = '', finishedAt = '' } = status?.state?.terminated ?? {};
  const remainder = message === '' ? undefined : parseRemainder(message);
  if (remainder === undefined || remainder.targets.length === 0) return undefined;
  const state = container?.volumeMounts?.find(({ mountPath }) => mountPath === STATE_DIRECTORY)?.name;
  const claim = volumes.find(({ name }) => name === state)?.persistentVolumeClaim?.claimName;
  return { remainder, endedAt: finishedAt, ...(claim !== undefined && { claim }) };
}
