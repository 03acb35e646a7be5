/**
 * The Secrets that resources name, each watched by its own name, so that no other Secret of the cluster is ever read. Of the
 * content only the names of keys are kept, and the version; values are read anew when they are delivered.
 */
import type { SecretFacts, SecretLookup } from '#contract/secrets.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import { secretNeedsLook } from './affected.ts';
import { type Key, keyOf } from './key.ts';
import { type Reflector, type Source, startReflector } from './reflector.ts';

/** Empty values are left out of the keys: an empty credential is none. */
export function projectSecret(object: KubeObject): SecretFacts {
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  const keys = Object.entries(data).filter(([, value]) => value !== '');
  return { exists: true, version: object.metadata.resourceVersion ?? '', keys: new Set(keys.map(([key]) => key)) };
}

export interface SecretGathering {
  /** Facts of those that have been heard of. */
  readonly facts: SecretLookup;
  /** Names of which nothing is known yet, each with the reason when there is one. */
  readonly missing: ReadonlyMap<string, string | undefined>;
}

interface Watched {
  readonly reflector: Reflector;
  readonly wantedBy: Set<Key>;
  facts: SecretFacts | undefined;
}

export interface SecretWatchesOptions {
  readonly source: (namespace: string, name: string) => Source<SecretFacts>;
  /** Called with the key of each resource to look at again. */
  readonly onChange: (key: Key) => void;
  readonly onFailure?: (error: unknown) => void;
}

export class SecretWatches {
  readonly #watched = new Map<Key, Watched>();
  readonly #options: SecretWatchesOptions;
  /** Watches that were let go and still end. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: SecretWatchesOptions) {
    this.#options = options;
  }

  /** Makes `names` the Secrets that the resource wants, starting and ending watches, and says what is known of them. */
  gather(owner: Key, namespace: string, names: readonly string[]): SecretGathering {
    const wanted = new Set(names.map((name) => keyOf({ namespace, name })));
    for (const [key, entry] of this.#watched) {
      if (entry.wantedBy.has(owner) && !wanted.has(key)) this.#letGo(key, entry, owner);
    }
    const facts = new Map<string, SecretFacts>();
    const missing = new Map<string, string | undefined>();
    for (const name of names) {
      const entry = this.#want(owner, namespace, name);
      if (entry.facts) facts.set(name, entry.facts);
      else missing.set(name, entry.reflector.health().problem);
    }
    return { facts, missing };
  }

  /** The resource is gone: what only it wanted is no longer watched. */
  forget(owner: Key): void {
    for (const [key, entry] of this.#watched) {
      if (entry.wantedBy.has(owner)) this.#letGo(key, entry, owner);
    }
  }

  health(): ReturnType<Reflector['health']>[] {
    return [...this.#watched.values()].map((entry) => entry.reflector.health());
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#watched.values()].map((entry) => entry.reflector.stop()));
    this.#watched.clear();
    await Promise.all(this.#ending);
  }

  #want(owner: Key, namespace: string, name: string): Watched {
    const key = keyOf({ namespace, name });
    const known = this.#watched.get(key);
    if (known) {
      known.wantedBy.add(owner);
      return known;
    }
    const wantedBy = new Set([owner]);
    const set = (facts: SecretFacts): void => {
      const before = entry.facts;
      entry.facts = facts;
      if (secretNeedsLook(before, facts)) for (const each of wantedBy) this.#options.onChange(each);
    };
    const entry: Watched = {
      wantedBy,
      facts: undefined,
      reflector: startReflector({
        source: this.#options.source(namespace, name),
        store: {
          replace: ([first]) => set(first ?? { exists: false }),
          put: set,
          remove: () => set({ exists: false }),
        },
        ...(this.#options.onFailure && { onFailure: this.#options.onFailure }),
        // Not yet known, and now known why not: the resource shall say so.
        onHealth: () => {
          if (!entry.facts) for (const each of wantedBy) this.#options.onChange(each);
        },
      }),
    };
    this.#watched.set(key, entry);
    return entry;
  }

  #letGo(key: Key, entry: Watched, owner: Key): void {
    entry.wantedBy.delete(owner);
    if (entry.wantedBy.size > 0) return;
    this.#watched.delete(key);
    const ending = entry.reflector.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
