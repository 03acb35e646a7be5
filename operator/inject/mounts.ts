/** spec.sidecar's volumes: mounts of volumes that the pod itself has, or must have. */
import {
  CONFIG_VOLUME,
  GATEWAY_TOKEN_VOLUME,
  NO_TOKEN_VOLUME,
  STATE_DIRECTORY,
  STATE_VOLUME,
} from '#contract/names.ts';
import type { SidecarProfile, StreamProxy } from '#contract/resources.ts';

type Mount = NonNullable<SidecarProfile['spec']['volumeMounts']>[number];

/** The sidecar's variable that names them all, separated by spaces: by it a policy finds what the pod lacks. */
export const VOLUMES_VARIABLE = 'SLUICE_VOLUMES';

/** Volumes that come with injection. */
export const OWN_VOLUMES: readonly string[] = [CONFIG_VOLUME, STATE_VOLUME, NO_TOKEN_VOLUME, GATEWAY_TOKEN_VOLUME];

/** Kinds of volumes that hold data of the application: no credentials, and nothing of the node. */
export const MOUNTABLE_KINDS = ['emptyDir', 'persistentVolumeClaim', 'ephemeral'] as const;

/** Every field that the API server would default is left out or written out. */
export function podVolumeMounts({ sidecar }: StreamProxy['spec']): Mount[] {
  const mounts = (sidecar?.volumeMounts ?? []).map(({ name, mountPath, subPath, readOnly }) =>
    mountOf({ name, mountPath, subPath }, readOnly ?? false),
  );
  const state = sidecar?.stateVolume;
  return state ? [...mounts, mountOf({ ...state, mountPath: STATE_DIRECTORY }, false)] : mounts;
}

/** Empty where no volume of the pod is mounted. */
export function volumesVariable(mounts: readonly Mount[]): { readonly name: string; readonly value: string }[] {
  if (mounts.length === 0) return [];
  return [{ name: VOLUMES_VARIABLE, value: [...new Set(mounts.map(({ name }) => name))].join(' ') }];
}

function mountOf(
  {
    name,
    mountPath,
    subPath,
  }: { readonly name: string; readonly mountPath: string; readonly subPath?: string | undefined },
  readOnly: boolean,
): Mount {
  return { name, mountPath, ...(subPath !== undefined && { subPath }), ...(readOnly && { readOnly }) };
}
