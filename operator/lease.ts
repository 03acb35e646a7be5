/**
 * One leader writes: a Lease of coordination.k8s.io, as client-go holds it. Remote clocks are never compared: another's
 * lease has ended when it was not seen to change for its whole duration, by our own clock.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { hasStatus } from './cluster/api-error.ts';
import type { Cluster } from './cluster/cluster.ts';
import { KINDS, type KubeObject, type ObjectName } from './cluster/kinds.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logger.ts';
import { microTime } from './micro-time.ts';

export interface LeaseTimes {
  /** Others wait this long after the last change that they saw. */
  readonly durationMs: number;
  /** We stop leading when we could not renew for this long: the difference to the duration is the margin. */
  readonly renewWithinMs: number;
  readonly retryMs: number;
}

export interface LeaseOptions {
  readonly name: ObjectName;
  /** Of this process, not only of this pod: a restarted container must not take itself for its predecessor. */
  readonly identity: string;
  readonly cluster: Pick<Cluster, 'get' | 'create' | 'replace'>;
  readonly logger: Logger;
  readonly times?: LeaseTimes;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** client-go's defaults. */
const TIMES: LeaseTimes = { durationMs: 15_000, renewWithinMs: 10_000, retryMs: 2000 };

/** Part of the usual pause after a renewal that failed: a server that is away on and off is there for a second only. */
const SOONER = 0.25;

export class Lease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  #seen: { readonly text: string; readonly atMs: number } | undefined;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #held = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? TIMES;
  }

  /** Whether we may write at this moment. Also false when this process was stopped for longer than the lease lasts. */
  isHeld(): boolean {
    return this.#held && performance.now() - this.#renewedAtMs < this.#times.renewWithinMs;
  }

  /** Resolves when we lead. @throws the signal's reason */
  async acquire(signal: AbortSignal): Promise<void> {
    while (!(await this.#tryOnce(this.#times.renewWithinMs, signal))) await this.#wait(signal);
    this.#held = true;
  }

  /** Renews until `signal` aborts or the lease is lost. @returns which of the two */
  async hold(signal: AbortSignal): Promise<'stopped' | 'lost'> {
    let renewed = true;
    while (!signal.aborted) {
      await this.#wait(signal, renewed ? 1 : SOONER).catch(() => undefined);
      if (signal.aborted) return 'stopped';
      const leftMs = this.#times.renewWithinMs - (performance.now() - this.#renewedAtMs);
      if (leftMs <= 0) break;
      renewed = await this.#tryOnce(leftMs, signal).catch(() => false);
      if (this.#isTaken) break;
    }
    if (signal.aborted) return 'stopped';
    this.#held = false;
    return 'lost';
  }

  /** Gives the lease back, so that the next one need not wait for its end. Best effort. */
  async release(signal: AbortSignal): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    const { cluster, name, identity, logger } = this.#options;
    try {
      const lease = await cluster.get(KINDS.lease, name, signal);
      const spec = specOf(lease);
      if (!lease || spec.holderIdentity !== identity) return;
      const free = { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(new Date()) };
      await cluster.replace(KINDS.lease, { ...lease, spec: free }, signal);
    } catch (error) {
      logger.warn('Cannot give the lease back', { error: describeError(error) });
    }
  }

  #isTaken = false;
  /** As the API server answered our last write; undefined: what is there must be read first. */
  #written: KubeObject | undefined;

  /** @returns whether we hold the lease now. @throws only the signal's reason */
  async #tryOnce(withinMs: number, signal: AbortSignal): Promise<boolean> {
    const startedAtMs = performance.now();
    // Half the time at most, so that a connection that hangs leaves time for another try.
    const bounded = AbortSignal.any([
      signal,
      AbortSignal.timeout(Math.ceil(Math.min(withinMs, this.#times.renewWithinMs / 2))),
    ]);
    try {
      const isOurs = await this.#takeOrRenew(bounded);
      // From the start of the request: others count from when they saw the write, which was later.
      if (isOurs) this.#renewedAtMs = startedAtMs;
      return isOurs;
    } catch (error) {
      signal.throwIfAborted();
      if (!hasStatus(error, 409)) this.#options.logger.warn('Cannot renew the lease', { error: describeError(error) });
      return false;
    }
  }

  async #takeOrRenew(signal: AbortSignal): Promise<boolean> {
    const { cluster, name, identity } = this.#options;
    // Optimistically, as client-go does: one request a renewal, and a lease that somebody else wrote since is refused with 409.
    const written = this.#written;
    this.#written = undefined;
    const lease = written ?? (await cluster.get(KINDS.lease, name, signal));
    const now = microTime(new Date());
    const ours = { holderIdentity: identity, leaseDurationSeconds: this.#times.durationMs / 1000, renewTime: now };
    if (!lease) {
      this.#written = await cluster.create(
        KINDS.lease,
        { metadata: { ...name }, spec: { ...ours, acquireTime: now, leaseTransitions: 0 } },
        signal,
      );
      return true;
    }
    const spec = specOf(lease);
    const isOurs = spec.holderIdentity === identity;
    if (!isOurs && !this.#hasEnded(spec)) {
      this.#isTaken = this.#held;
      return false;
    }
    // A lease that another took and let go meanwhile was lost all the same: he may have written.
    if (!isOurs && this.#held) {
      this.#isTaken = true;
      return false;
    }
    const begun = isOurs ? {} : { acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 };
    const renewed = { ...lease, spec: { ...spec, ...ours, ...begun } };
    try {
      this.#written = await cluster.replace(KINDS.lease, renewed, signal);
    } catch (error) {
      if (!written || !hasStatus(error, 404, 409)) throw error;
      return this.#takeOrRenew(signal);
    }
    return true;
  }

  #hasEnded(spec: LeaseSpec): boolean {
    const text = JSON.stringify(spec);
    if (this.#seen?.text !== text) this.#seen = { text, atMs: performance.now() };
    if (!spec.holderIdentity) return true;
    const durationMs = (spec.leaseDurationSeconds ?? this.#times.durationMs / 1000) * 1000;
    return performance.now() - this.#seen.atMs >= durationMs;
  }

  #wait(signal: AbortSignal, part = 1): Promise<void> {
    return pause(part * this.#times.retryMs * (1 + Math.random() / 5), undefined, { signal });
  }
}

function specOf(lease: KubeObject | undefined): LeaseSpec {
  return (lease?.['spec'] ?? {}) as LeaseSpec;
}
