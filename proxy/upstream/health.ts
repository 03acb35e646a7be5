/**
 * Passive health: outcomes in, available or not out. Failures in a row eject an upstream for a while, longer each time;
 * then one request at a time tries it, until enough of them succeeded.
 */

/** Failures in a row that eject. */
const FAILURES_TO_EJECT = 5;
const FIRST_EJECTION_MS = 10_000;
const MAX_EJECTION_MS = 300_000;
/** Trials that must succeed, one after the other, before an upstream takes all its traffic again. */
const TRIALS_TO_RETURN = 3;

export interface UpstreamState {
  readonly upstream: string;
  readonly state: 'available' | 'ejected' | 'trial';
  readonly consecutiveFailures: number;
  /** Kind of the last failure, such as `connect_failed` or `status 529`; absent while there was none. */
  readonly lastError?: string;
  /** Milliseconds until the next trial; absent unless ejected. */
  readonly ejectedForMs?: number;
}

interface Entry {
  origin: string;
  failures: number;
  ejections: number;
  /** Clock time until which nothing is sent; undefined while available. */
  ejectedUntil: number | undefined;
  trialsLeft: number;
  trialsInFlight: number;
  lastError: string | undefined;
}

export interface HealthOptions {
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  onChange(upstream: string, available: boolean): void;
}

export class Health {
  readonly #entries = new Map<string, Entry>();
  readonly #options: HealthOptions;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Whether a request may be sent now. */
  available(upstream: string): boolean {
    const entry = this.#entries.get(upstream);
    if (entry?.ejectedUntil === undefined) return true;
    return this.#options.now() >= entry.ejectedUntil && entry.trialsInFlight === 0;
  }

  /** An attempt begins. */
  started(upstream: string): void {
    const entry = this.#entries.get(upstream);
    if (entry?.ejectedUntil !== undefined) entry.trialsInFlight += 1;
  }

  /**
   * An attempt's head came, or it failed.
   * @param failure kind of the failure; undefined for an answer; `'none'` for an attempt that says nothing about the upstream
   */
  attempted(upstream: string, failure: string | undefined): void {
    const entry = this.#entries.get(upstream);
    if (entry && entry.trialsInFlight > 0) entry.trialsInFlight -= 1;
    if (failure === 'none') return;
    if (failure !== undefined) this.failed(upstream, failure);
    else if (entry?.ejectedUntil !== undefined) this.#trialSucceeded(upstream, entry);
  }

  /** A failure: before an answer, or in the middle of one. */
  failed(upstream: string, failure: string): void {
    const entry = this.#entry(upstream);
    entry.failures += 1;
    entry.lastError = failure;
    if (entry.ejectedUntil !== undefined) this.#eject(entry);
    else if (entry.failures >= FAILURES_TO_EJECT) {
      this.#eject(entry);
      this.#options.onChange(upstream, false);
    }
  }

  /** A whole answer; nothing less ends a row of failures, as a stream may be cut after a good beginning. */
  succeeded(upstream: string): void {
    const entry = this.#entries.get(upstream);
    if (entry && entry.ejectedUntil === undefined) entry.failures = 0;
  }

  /**
   * Keeps these upstreams alone, and speaks of each new one. One that moved begins anew.
   * @param upstreams name → where it is
   */
  retain(upstreams: ReadonlyMap<string, string>): void {
    for (const [name, entry] of this.#entries) if (upstreams.get(name) !== entry.origin) this.#entries.delete(name);
    for (const [name, origin] of upstreams) {
      if (this.#entries.has(name)) continue;
      this.#entry(name).origin = origin;
      this.#options.onChange(name, true);
    }
  }

  states(): UpstreamState[] {
    const now = this.#options.now();
    return [...this.#entries].map(([upstream, entry]) => {
      const leftMs = entry.ejectedUntil === undefined ? 0 : Math.max(0, entry.ejectedUntil - now);
      return {
        upstream,
        state: entry.ejectedUntil === undefined ? 'available' : leftMs > 0 ? 'ejected' : 'trial',
        consecutiveFailures: entry.failures,
        ...(entry.lastError !== undefined && { lastError: entry.lastError }),
        ...(leftMs > 0 && { ejectedForMs: Math.round(leftMs) }),
      };
    });
  }

  #trialSucceeded(upstream: string, entry: Entry): void {
    entry.trialsLeft -= 1;
    if (entry.trialsLeft > 0) return;
    entry.ejectedUntil = undefined;
    entry.ejections = 0;
    entry.failures = 0;
    this.#options.onChange(upstream, true);
  }

  #eject(entry: Entry): void {
    // Failures that were under way when it was ejected must not prolong it.
    if (entry.ejectedUntil !== undefined && this.#options.now() < entry.ejectedUntil) return;
    entry.ejectedUntil = this.#options.now() + Math.min(FIRST_EJECTION_MS * 2 ** entry.ejections, MAX_EJECTION_MS);
    entry.ejections += 1;
    entry.trialsLeft = TRIALS_TO_RETURN;
  }

  #entry(upstream: string): Entry {
    const known = this.#entries.get(upstream);
    if (known) return known;
    const fresh: Entry = {
      origin: '',
      failures: 0,
      ejections: 0,
      ejectedUntil: undefined,
      trialsLeft: 0,
      trialsInFlight: 0,
      lastError: undefined,
    };
    this.#entries.set(upstream, fresh);
    return fresh;
  }
}
