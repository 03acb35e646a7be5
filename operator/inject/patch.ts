/** Pure: pod + profile → JSON patch that injects the sidecar. The model that the admission policy is held to. */
import { PROXY_LABEL } from '#contract/names.ts';
import type { SidecarProfile } from '#contract/resources.ts';
import type { Container, EnvVar, Pod } from './pod.ts';

/** RFC 6902; on a member that is there already, `add` replaces it. */
export interface PatchOperation {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

/** As the name of a resource, and as a JSON pointer's last part. */
const EPHEMERAL_STORAGE = 'ephemeral-storage';
const NO_PROXY_NAMES = ['NO_PROXY', 'no_proxy'] as const;

/** @param pod one for which decide() said `inject` */
export function injectionPatch(pod: Pod, profile: SidecarProfile): PatchOperation[] {
  const { spec } = profile;
  return [
    // Environment first: afterwards the init containers' indexes have moved.
    ...pod.spec.containers.map((each, index) => environmentPatch(`/spec/containers/${index}`, each, spec)),
    ...(pod.spec.initContainers ?? []).map((each, index) =>
      environmentPatch(`/spec/initContainers/${index}`, each, spec),
    ),
    pod.spec.initContainers
      ? add('/spec/initContainers/0', spec.container)
      : add('/spec/initContainers', [spec.container]),
    ...storagePatch(pod, spec),
    ...(spec.volumeMounts ?? []).map((mount) => add('/spec/initContainers/0/volumeMounts/-', mount)),
    ...(pod.spec.volumes
      ? spec.volumes.map((volume) => add('/spec/volumes/-', volume))
      : [add('/spec/volumes', spec.volumes)]),
    pod.metadata.labels
      ? add(`/metadata/labels/${escapeKey(PROXY_LABEL)}`, profile.metadata.name)
      : add('/metadata/labels', { [PROXY_LABEL]: profile.metadata.name }),
  ];
}

/**
 * A pod with any such limit is evicted when what it has on disk exceeds the sum of its containers' limits: the records that wait
 * must not take the application's share. Without any the sidecar gets none either, as that would be the limit of all of them.
 * It asks for nothing: a disk that is kept free for the worst case would be full of pods that never need it.
 */
function storagePatch(pod: Pod, { ephemeralStorage }: SidecarProfile['spec']): PatchOperation[] {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const limited = containers.some(({ resources }) => resources?.limits?.[EPHEMERAL_STORAGE] !== undefined);
  if (!limited || ephemeralStorage === undefined) return [];
  return [
    add(`/spec/initContainers/0/resources/limits/${EPHEMERAL_STORAGE}`, ephemeralStorage),
    add(`/spec/initContainers/0/resources/requests/${EPHEMERAL_STORAGE}`, '0'),
  ];
}

function environmentPatch(path: string, container: Container, spec: SidecarProfile['spec']): PatchOperation {
  return add(`${path}/env`, environmentOf(container, spec));
}

/** The container's own variables first and in their order, with the loopback added to NO_PROXY, then what it lacks. */
function environmentOf(container: Container, spec: SidecarProfile['spec']): readonly EnvVar[] {
  const own = container.env ?? [];
  const has = (name: string): boolean => own.some((variable) => variable.name === name);
  const added = spec.env
    .filter(
      (entry) => !has(entry.name) && !entry.unless?.some(has) && !(entry.placeholder && container.envFrom?.length),
    )
    .map(({ name, value }) => ({ name, value }));
  const noProxy = NO_PROXY_NAMES.filter((name) => !has(name)).map((name) => ({ name, value: spec.noProxy }));
  return [...own.map((variable) => extendNoProxy(variable, spec.noProxy)), ...added, ...noProxy];
}

/** A value that comes from elsewhere (valueFrom) is not known here, and stays. */
function extendNoProxy(variable: EnvVar, noProxy: string): EnvVar {
  if (!NO_PROXY_NAMES.some((name) => name === variable.name) || variable.valueFrom !== undefined) return variable;
  if (variable.value?.includes(noProxy)) return variable;
  return { name: variable.name, value: variable.value ? `${variable.value},${noProxy}` : noProxy };
}

/**
 * Applies a patch of injectionPatch.
 * @returns a new pod; the given one is left as it is
 */
export function applyPatch(pod: Pod, operations: readonly PatchOperation[]): Pod {
  const result = structuredClone(pod);
  for (const operation of operations) {
    const keys = operation.path.slice(1).split('/').map(unescapeKey);
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], result);
    const value = structuredClone(operation.value);
    if (!Array.isArray(parent)) (parent as Record<string, unknown>)[last] = value;
    else if (last === '-') parent.push(value);
    else parent.splice(Number(last), 0, value);
  }
  return result;
}

function add(path: string, value: unknown): PatchOperation {
  return { op: 'add', path, value };
}

function escapeKey(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function unescapeKey(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
