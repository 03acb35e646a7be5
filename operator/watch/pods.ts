/** Every injected pod, as last seen, by the StreamProxy whose sidecar it carries. */
import { keysOfPodChange } from './affected.ts';
import type { Key } from './key.ts';
import { hasEnded, type PodFacts, proxyKeyOf } from './pod-facts.ts';
import type { Store } from './reflector.ts';

export class PodCache {
  readonly #byKey = new Map<Key, PodFacts>();
  readonly #byProxy = new Map<Key, Map<Key, PodFacts>>();
  readonly #onChange: (key: Key) => void;
  readonly #onEnd: (pod: PodFacts) => void;

  /**
   * @param onChange called with the key of each StreamProxy to look at again
   * @param onEnd called with the last that was seen of each pod that will not run again, perhaps more than once
   */
  constructor(onChange: (key: Key) => void, onEnd: (pod: PodFacts) => void = () => undefined) {
    this.#onChange = onChange;
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Pods that carry the sidecar of the StreamProxy with this key. */
  of(proxy: Key): PodFacts[] {
    return [...(this.#byProxy.get(proxy)?.values() ?? [])];
  }

  /** @param namespace the part of the cluster that one reflector speaks of; undefined: all of it */
  storeFor(namespace: string | undefined): Store<PodFacts> {
    return {
      replace: (items) => {
        const present = new Set(items.map(keyOfPod));
        for (const [key, pod] of this.#byKey) {
          if ((namespace === undefined || pod.namespace === namespace) && !present.has(key)) this.#set(key, undefined);
        }
        for (const item of items) this.#set(keyOfPod(item), item);
      },
      put: (item) => this.#set(keyOfPod(item), item),
      remove: (item) => {
        // Its last state may come with its deletion alone.
        this.#gone(item);
        this.#set(keyOfPod(item), undefined);
      },
    };
  }

  #set(key: Key, after: PodFacts | undefined): void {
    const before = this.#byKey.get(key);
    if (before) this.#unindex(key, before);
    if (before && before.uid !== after?.uid) this.#gone(before);
    if (after && hasEnded(after)) this.#onEnd(after);
    if (after) {
      this.#byKey.set(key, after);
      const siblings = this.#byProxy.get(proxyKeyOf(after)) ?? new Map<Key, PodFacts>();
      this.#byProxy.set(proxyKeyOf(after), siblings.set(key, after));
    }
    for (const proxy of keysOfPodChange(before, after)) this.#onChange(proxy);
  }

  /** One that merely lost our label is not told of: it goes on. */
  #gone(pod: PodFacts): void {
    if (pod.deleting || hasEnded(pod)) this.#onEnd(pod);
  }

  #unindex(key: Key, pod: PodFacts): void {
    this.#byKey.delete(key);
    const siblings = this.#byProxy.get(proxyKeyOf(pod));
    siblings?.delete(key);
    if (siblings?.size === 0) this.#byProxy.delete(proxyKeyOf(pod));
  }
}

function keyOfPod({ namespace, name }: PodFacts): Key {
  return `${namespace}/${name}`;
}
