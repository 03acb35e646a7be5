/**
 * The config in force, swapped whole. An exchange acquires the snapshot of its beginning and releases it at its end; pools
 * live as long as a snapshot that uses them, so a change cuts nobody and leaves nothing behind.
 */
import type { CompiledConfig, CompiledUpstream, ValidUpstream } from '#contract/compiled.ts';
import type { Problem } from '#contract/finding.ts';
import { ProxyError } from '../errors.ts';
import { credentialProblems } from '../upstream/credentials.ts';
import {
  certificateProblem,
  openPool,
  poolKey,
  type TlsMaterial,
  tlsMaterial,
  trustProblem,
  type UpstreamPool,
} from '../upstream/pool.ts';
import type { LoadedConfig } from './source.ts';

export interface Snapshot {
  readonly config: CompiledConfig;
  readonly credentials: ReadonlyMap<string, string>;
  readonly upstreams: ReadonlyMap<string, CompiledUpstream>;
  pool(upstream: ValidUpstream): UpstreamPool;
  /** To be called once for each acquire. */
  release(): void;
}

interface SharedPool {
  readonly pool: UpstreamPool;
  users: number;
}

interface Held {
  readonly snapshot: Snapshot;
  /** One for being the current one, one for each exchange. */
  users: number;
}

/** Opens what an upstream is asked through. @throws when its url, proxy and trust cannot be used */
export type OpenPool = (upstream: ValidUpstream, tls: TlsMaterial) => UpstreamPool;

export class Snapshots {
  readonly #open: OpenPool;
  readonly #pools = new Map<string, SharedPool>();
  #current: Held | undefined;

  constructor(open: OpenPool = openPool) {
    this.#open = open;
  }

  get config(): CompiledConfig | undefined {
    return this.#current?.snapshot.config;
  }

  /** Every bare credential in force. */
  secrets(): Iterable<string> {
    return this.#current?.snapshot.credentials.values() ?? [];
  }

  get openPools(): number {
    return this.#pools.size;
  }

  /** @throws ProxyError unavailable before the first valid config */
  acquire(): Snapshot {
    const held = this.#current;
    if (!held) {
      throw new ProxyError('unavailable', 'Wait, or look at /gateway/health: no valid config has arrived yet');
    }
    held.users += 1;
    return held.snapshot;
  }

  /** Puts a config in force, or says why it cannot be; then the one before stays. */
  swap(loaded: LoadedConfig): readonly Problem[] {
    const problems = problemsOf(loaded);
    if (problems.length > 0) return problems;
    const keys = new Map<string, string>();
    for (const upstream of valid(loaded.config.upstreams)) {
      try {
        keys.set(upstream.name, this.#usePool(upstream, loaded.credentials));
      } catch {
        for (const key of keys.values()) this.#releasePool(key);
        return [
          { path: `upstreams.${upstream.name}`, message: 'No connection can be made with this url, proxy and trust' },
        ];
      }
    }
    const before = this.#current;
    this.#current = this.#hold(loaded, keys);
    before?.snapshot.release();
    return [];
  }

  /** Lets go of the current config; pools close when their last exchange has ended. */
  close(): void {
    const held = this.#current;
    this.#current = undefined;
    held?.snapshot.release();
  }

  #usePool(upstream: ValidUpstream, credentials: ReadonlyMap<string, string>): string {
    const tls = tlsMaterial(upstream, credentials);
    const key = poolKey(upstream, tls);
    const shared = this.#pools.get(key) ?? { pool: this.#open(upstream, tls), users: 0 };
    this.#pools.set(key, shared);
    shared.users += 1;
    return key;
  }

  #hold({ config, credentials }: LoadedConfig, keys: ReadonlyMap<string, string>): Held {
    const upstreams = new Map(config.upstreams.map((upstream) => [upstream.name, upstream]));
    const snapshot: Snapshot = {
      config,
      credentials,
      upstreams,
      pool: ({ name }) => {
        const shared = this.#pools.get(keys.get(name) ?? '');
        if (!shared) throw new ProxyError('internal', `No pool for upstream "${name}"`);
        return shared.pool;
      },
      release: () => this.#release(held, keys),
    };
    const held: Held = { snapshot, users: 1 };
    return held;
  }

  #release(held: Held, keys: ReadonlyMap<string, string>): void {
    held.users -= 1;
    if (held.users > 0) return;
    for (const key of keys.values()) this.#releasePool(key);
  }

  #releasePool(key: string): void {
    const shared = this.#pools.get(key);
    if (!shared) return;
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#pools.delete(key);
    // Nothing is in flight: what is left are idle connections, and those that nobody could abort while connecting.
    void shared.pool.destroy().catch(() => {});
  }
}

function valid(upstreams: readonly CompiledUpstream[]): ValidUpstream[] {
  return upstreams.filter((upstream) => upstream.kind === 'valid');
}

function problemsOf({ config, credentials }: LoadedConfig): Problem[] {
  const upstreams = valid(config.upstreams);
  const trust = upstreams.flatMap(({ caFile, name }): Problem[] => {
    if (caFile === undefined) return [];
    const pem = credentials.get(caFile);
    const problem = pem === undefined ? 'The file is missing; deliver it again' : trustProblem(pem);
    return problem === undefined ? [] : [{ path: caFile, message: `Authorities of upstream "${name}": ${problem}` }];
  });
  const shown = upstreams.flatMap((upstream): Problem[] => {
    if (!upstream.clientCertificate) return [];
    const problem = certificateProblem(tlsMaterial(upstream, credentials));
    const path = upstream.clientCertificate.certFile;
    return problem === undefined
      ? []
      : [{ path, message: `Client certificate of upstream "${upstream.name}": ${problem}` }];
  });
  return [...credentialProblems(upstreams, credentials), ...trust, ...shown];
}
