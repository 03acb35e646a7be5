/** Every StreamProxy, as last seen. */
import type { StreamProxy } from '#contract/resources.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import { proxyNeedsLook } from './affected.ts';
import { type Key, keyOf } from './key.ts';
import type { Store } from './reflector.ts';

/** Where kubectl keeps a copy of the whole object. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What is kept: all but the bookkeeping of field owners and kubectl's copy, which are as large as the rest each. */
export function projectProxy(object: KubeObject): StreamProxy {
  const { managedFields: _managedFields, annotations, ...metadata } = object.metadata;
  const { [LAST_APPLIED]: _copy, ...kept } = annotations ?? {};
  return {
    ...(object as unknown as StreamProxy),
    metadata: { ...metadata, ...(annotations && { annotations: kept }) },
  };
}

export class ProxyCache {
  readonly #byKey = new Map<Key, StreamProxy>();
  readonly #onChange: (key: Key) => void;

  /** @param onChange called with the key of each resource to look at again */
  constructor(onChange: (key: Key) => void) {
    this.#onChange = onChange;
  }

  get(key: Key): StreamProxy | undefined {
    return this.#byKey.get(key);
  }

  keys(): Key[] {
    return [...this.#byKey.keys()];
  }

  /** @param namespace the part of the cluster that one reflector speaks of; undefined: all of it */
  storeFor(namespace: string | undefined): Store<StreamProxy> {
    return {
      replace: (items) => {
        const present = new Set(items.map(keyOfProxy));
        for (const [key, proxy] of this.#byKey) {
          const covered = namespace === undefined || proxy.metadata.namespace === namespace;
          if (covered && !present.has(key)) this.#set(key, undefined);
        }
        for (const item of items) this.#set(keyOfProxy(item), item);
      },
      put: (item) => this.#set(keyOfProxy(item), item),
      remove: (item) => this.#set(keyOfProxy(item), undefined),
    };
  }

  #set(key: Key, after: StreamProxy | undefined): void {
    const before = this.#byKey.get(key);
    if (after) this.#byKey.set(key, after);
    else this.#byKey.delete(key);
    if (proxyNeedsLook(before, after)) this.#onChange(key);
  }
}

function keyOfProxy({ metadata }: StreamProxy): Key {
  return keyOf({ namespace: metadata.namespace ?? '', name: metadata.name });
}
