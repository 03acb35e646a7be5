/** Key → everything that a decision needs: the last reading of the cluster before the pure part. */
import type { StreamProxy } from '#contract/resources.ts';
import { type SecretLookup, secretNames } from '#contract/secrets.ts';
import type { TokenKeys } from '#contract/token-keys.ts';
import type { TokenKeyReader } from './gateway/token-keys.ts';
import type { Key } from './watch/key.ts';
import type { PodFacts } from './watch/pod-facts.ts';
import type { PodCache } from './watch/pods.ts';
import type { ProxyCache } from './watch/proxies.ts';
import type { SecretWatches } from './watch/secrets.ts';

export interface Caches {
  readonly proxies: ProxyCache;
  readonly pods: PodCache;
  readonly secrets: SecretWatches;
  readonly tokenKeys: TokenKeyReader;
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
      /** The cluster's, where a gateway verifies tokens of service accounts. */
      readonly tokenKeys: TokenKeys | undefined;
    };

export function gather(key: Key, { proxies, pods, secrets, tokenKeys }: Caches): Gathered {
  const resource = proxies.get(key);
  if (!resource || resource.metadata.deletionTimestamp !== undefined) return { kind: 'gone' };
  const { facts, missing } = secrets.gather(key, resource.metadata.namespace ?? '', secretNames(resource.spec));
  const own = pods.of(key);
  const tokens = verifiesTokens(resource) ? tokenKeys.want(key) : undefined;
  if (!verifiesTokens(resource)) tokenKeys.forget(key);
  if (missing.size === 0 && tokens?.kind !== 'unknown')
    return { kind: 'ready', resource, pods: own, secrets: facts, tokenKeys: tokens?.keys };
  const problems = [...missing].flatMap(([name, problem]) =>
    problem === undefined ? [] : [`Secret "${name}" cannot be read. ${problem}`],
  );
  // A gateway that lost its keys would turn everybody away: what was delivered stays until they are known.
  if (tokens?.kind === 'unknown' && tokens.problem !== undefined)
    problems.push(`The keys that verify tokens of service accounts cannot be read. ${tokens.problem}`);
  return { kind: 'waiting', resource, pods: own, unreadable: problems.length === 0 ? undefined : problems.join(' ') };
}

function verifiesTokens({ spec }: StreamProxy): boolean {
  return spec.gateway?.clients.some(({ serviceAccount }) => serviceAccount !== undefined) ?? false;
}
