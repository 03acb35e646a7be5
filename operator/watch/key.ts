/** The key of a resource in queue and caches: `namespace/name`. */
import type { ObjectName } from '../cluster/kinds.ts';

export type Key = string;

export function keyOf({ namespace, name }: ObjectName): Key {
  return `${namespace}/${name}`;
}

export function nameOfKey(key: Key): ObjectName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
