/** Starts the watch of every kind; each event becomes the key of a resource to look at again. */
import { PROXY_LABEL } from '#contract/names.ts';
import type { SecretFacts } from '#contract/secrets.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS } from '../cluster/kinds.ts';
import { describeError } from '../errors.ts';
import { TokenKeyReader } from '../gateway/token-keys.ts';
import type { Caches } from '../gather.ts';
import { createLimiter } from '../limiter.ts';
import type { Logger } from '../logger.ts';
import type { WatchedKind } from '../metrics.ts';
import type { Key } from './key.ts';
import { type PodFacts, podFacts } from './pod-facts.ts';
import { PodCache } from './pods.ts';
import { ProxyCache, projectProxy } from './proxies.ts';
import { type Reflector, type Source, type Store, startReflector } from './reflector.ts';
import { projectSecret, SecretWatches } from './secrets.ts';
import { secretSource, selectionSource } from './source.ts';

export interface Watching {
  readonly caches: Caches;
  /** Why not everything has been seen yet; empty: all has. */
  missing(): string[];
  /** Milliseconds since the server was last heard, on the watch of that kind that waits longest. */
  stalenessMs(kind: WatchedKind): number;
  stop(): Promise<void>;
}

export interface WatchingOptions {
  readonly cluster: Cluster;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly onKey: (key: Key) => void;
  /** Called with each pod that will not run again, perhaps more than once. */
  readonly onPodEnd: (pod: PodFacts) => void;
  readonly onFailure: (kind: WatchedKind) => void;
  readonly logger: Logger;
}

/** Secrets that are begun to be watched at the same time; half of what may be asked at all, so that delivering goes on beside it. */
const SECRETS_AT_ONCE = 8;

export function startWatching(options: WatchingOptions): Watching {
  const { cluster, namespaces, onKey, onPodEnd, onFailure, logger } = options;
  const failed = (kind: WatchedKind) => (error: unknown) => {
    onFailure(kind);
    logger.warn('Cannot watch; trying again', { kind, error: describeError(error) });
  };
  const proxies = new ProxyCache(onKey);
  const pods = new PodCache(onKey, onPodEnd);
  const starting = createLimiter(SECRETS_AT_ONCE);
  const secrets = new SecretWatches({
    source: (namespace, name) => secretSource<SecretFacts>(cluster, { namespace, name }, projectSecret, starting),
    onChange: onKey,
    onFailure: failed('Secret'),
  });
  const tokenKeys = new TokenKeyReader({ read: (signal) => cluster.tokenKeys(signal), onChange: onKey });
  const started: { readonly kind: WatchedKind; readonly reflector: Reflector }[] = [];
  const start = <T>(kind: WatchedKind, source: Source<T>, store: Store<T>): void => {
    started.push({ kind, reflector: startReflector({ source, store, onFailure: failed(kind) }) });
  };
  for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) {
    const ofPods = { namespace, labelSelector: PROXY_LABEL };
    start(
      'StreamProxy',
      selectionSource(cluster, KINDS.streamProxy, { namespace }, projectProxy),
      proxies.storeFor(namespace),
    );
    start('Pod', selectionSource(cluster, KINDS.pod, ofPods, podFacts), pods.storeFor(namespace));
  }
  const healths = (kind: WatchedKind) =>
    kind === 'Secret'
      ? secrets.health()
      : started.filter((each) => each.kind === kind).map((each) => each.reflector.health());
  return {
    caches: { proxies, pods, secrets, tokenKeys },
    missing: () => started.flatMap(({ kind, reflector }) => unsynced(kind, reflector)),
    stalenessMs: (kind) => Math.max(0, ...healths(kind).map(({ heardAtMs }) => performance.now() - heardAtMs)),
    async stop() {
      await Promise.all([...started.map(({ reflector }) => reflector.stop()), secrets.stop(), tokenKeys.stop()]);
    },
  };
}

function unsynced(kind: WatchedKind, reflector: Reflector): string[] {
  const { synced, problem } = reflector.health();
  return synced ? [] : [`${kind} objects have not been listed yet${problem === undefined ? '' : `: ${problem}`}.`];
}
