/**
 * Work queue of keys, in the shape of client-go's: a key that waits is there once; a key that is worked on is never handed
 * out a second time, but comes again afterwards when it was added meanwhile; each key has its own backoff.
 */
import type { Key } from './key.ts';

export interface QueueOptions {
  /** First step of the backoff; each failure doubles it. */
  readonly firstBackoffMs?: number;
  readonly mostBackoffMs?: number;
  /** Called whenever the number of waiting keys changes. */
  readonly onDepth?: (depth: number) => void;
}

export class WorkQueue {
  /** In the order in which they became dirty; keys that are worked on are dirty without waiting. */
  readonly #waiting: Key[] = [];
  readonly #dirty = new Set<Key>();
  readonly #processing = new Set<Key>();
  readonly #failures = new Map<Key, number>();
  readonly #timers = new Map<Key, { readonly timer: NodeJS.Timeout; readonly atMs: number }>();
  readonly #takers: ((key: Key | undefined) => void)[] = [];
  readonly #options: Required<QueueOptions>;
  #closed = false;

  constructor({ firstBackoffMs = 5, mostBackoffMs = 1_000_000, onDepth = () => undefined }: QueueOptions = {}) {
    this.#options = { firstBackoffMs, mostBackoffMs, onDepth };
  }

  get depth(): number {
    return this.#waiting.length;
  }

  add(key: Key): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (!this.#processing.has(key)) this.#offer(key);
  }

  /** Adds later; of several times for one key the earliest counts. */
  addAfter(key: Key, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const atMs = performance.now() + delayMs;
    const set = this.#timers.get(key);
    if (set && set.atMs <= atMs) return;
    if (set) clearTimeout(set.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, delayMs);
    this.#timers.set(key, { timer, atMs });
  }

  /** Adds after the key's backoff. @returns the milliseconds until then */
  addRateLimited(key: Key): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = Math.min(this.#options.mostBackoffMs, this.#options.firstBackoffMs * 2 ** Math.min(failures, 40));
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key's backoff starts anew. */
  forget(key: Key): void {
    this.#failures.delete(key);
  }

  /** The next key; whoever takes one must say `done`. @returns undefined when the queue was closed */
  take(): Promise<Key | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#waiting.shift();
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    this.#options.onDepth(this.depth);
    this.#begin(key);
    return Promise.resolve(key);
  }

  /** The work on the key ended, well or not; it waits again when it was added meanwhile. */
  done(key: Key): void {
    this.#processing.delete(key);
    if (this.#dirty.has(key) && !this.#closed) this.#offer(key);
  }

  /** Nothing is handed out any more. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.length = 0;
    this.#dirty.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #offer(key: Key): void {
    const taker = this.#takers.shift();
    if (!taker) {
      this.#waiting.push(key);
      this.#options.onDepth(this.depth);
      return;
    }
    this.#begin(key);
    taker(key);
  }

  #begin(key: Key): void {
    this.#processing.add(key);
    this.#dirty.delete(key);
  }
}
