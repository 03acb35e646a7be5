/** Key → everything that a decision needs: the last reading of the cluster before the pure part. */
import type { StreamProxy } from '#contract/resources.ts';
import { type SecretLookup, secretNames } from '#contract/secrets.ts';
import type { Key } from './watch/key.ts';
import type { PodFacts } from './watch/pod-facts.ts';
import type { PodCache } from './watch/pods.ts';
import type { ProxyCache } from './watch/proxies.ts';
import type { SecretWatches } from './watch/secrets.ts';

export interface Caches {
  readonly proxies: ProxyCache;
  readonly pods: PodCache;
  readonly secrets: SecretWatches;
}

export type Gathered =
  /** The resource is gone, or going: its owner references do the rest. */
  | { readonly kind: 'gone' }
  /** Some Secret has not been heard of; its first news brings the resource back. */
  | {
      readonly kind: 'waiting';
      readonly resource: StreamProxy;
      readonly pods: readonly PodFacts[];
      readonly unreadable: string | undefined;
    }
  | {
      readonly kind: 'ready';
      readonly resource: StreamProxy;
      readonly pods: readonly PodFacts[];
      readonly secrets: SecretLookup;
    };

export function gather(key: Key, { proxies, pods, secrets }: Caches): Gathered {
  const resource = proxies.get(key);
  if (!resource || resource.metadata.deletionTimestamp !== undefined) return { kind: 'gone' };
  const { facts, missing } = secrets.gather(key, resource.metadata.namespace ?? '', secretNames(resource.spec));
  const own = pods.of(key);
  if (missing.size === 0) return { kind: 'ready', resource, pods: own, secrets: facts };
  const problems = [...missing].flatMap(([name, problem]) =>
    problem === undefined ? [] : [`Secret "${name}" cannot be read. ${problem}`],
  );
  return { kind: 'waiting', resource, pods: own, unreadable: problems.length === 0 ? undefined : problems.join(' ') };
}
