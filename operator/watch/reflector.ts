/**
 * Reflector: keeps a store equal to one selection of objects, for as long as it is not stopped. List, then watch from there;
 * 410 lists anew; any other error waits and goes on from the last version seen. It never gives up and never throws.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, hasStatus } from '../cluster/api-error.ts';
import type { WatchFrom } from '../cluster/cluster.ts';
import type { WatchEvent } from '../cluster/watch-events.ts';
import { describeError } from '../errors.ts';
import { createBackoff } from './backoff.ts';

/** Where objects come from; projected to what is kept as they are read. */
export interface Source<T> {
  list(signal: AbortSignal): Promise<{ readonly items: readonly T[]; readonly version: string }>;
  /** @param from an empty version: from now, with what is there coming first as ADDED */
  watch(from: WatchFrom, signal: AbortSignal): Promise<AsyncIterable<WatchEvent>>;
  project(object: WatchEvent['object']): T;
}

/** Where they go. Calls come in order, never at the same time. */
export interface Store<T> {
  /** Everything that there is now; what is not among it is gone. */
  replace(items: readonly T[]): void;
  put(item: T): void;
  remove(item: T): void;
}

export interface ReflectorHealth {
  /** Whether the first list has arrived. */
  readonly synced: boolean;
  /** `performance.now()` when the server was last heard. */
  readonly heardAtMs: number;
  /** Why the server cannot be heard; absent while it can. */
  readonly problem?: string;
}

export interface Reflector {
  health(): ReflectorHealth;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

export interface ReflectorOptions<T> {
  readonly source: Source<T>;
  readonly store: Store<T>;
  /** Called on each failure; for the log and metrics. */
  readonly onFailure?: (error: unknown) => void;
  /** Called when `synced` or `problem` changes. */
  readonly onHealth?: () => void;
  /** Longest silence; the server sends a bookmark each minute or so. */
  readonly silenceMs?: number;
  readonly backoff?: { readonly firstMs: number; readonly mostMs: number };
}

/** A watch that ends sooner than this without an event counts as a failure, or a broken server would be asked in a tight loop. */
const SHORTEST_WATCH_MS = 1000;
/** The server ends the watch after this time, drawn between the two, so that many do not end at once. */
const WATCH_SECONDS = { least: 240, most: 300 };

interface State {
  version: string | undefined;
  synced: boolean;
  heardAtMs: number;
  problem: string | undefined;
}

export function startReflector<T>(options: ReflectorOptions<T>): Reflector {
  const stopping = new AbortController();
  const state: State = { version: undefined, synced: false, heardAtMs: performance.now(), problem: undefined };
  const finished = run(options, state, stopping.signal);
  return {
    health: () => ({
      synced: state.synced,
      heardAtMs: state.heardAtMs,
      ...(state.problem !== undefined && { problem: state.problem }),
    }),
    async stop() {
      stopping.abort(new Error('The reflector was stopped'));
      await finished;
    },
  };
}

async function run<T>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff(options.backoff ?? { firstMs: 200, mostMs: 5000 });
  while (!signal.aborted) {
    try {
      if (state.version === undefined) await relist(options, state, signal);
      if (await watchOnce(options, state, signal)) backoff.reset();
      else throw new Error('The server closed the watch at once');
    } catch (error) {
      if (signal.aborted) return;
      if (hasStatus(error, 410)) state.version = undefined;
      setProblem(options, state, describeError(error));
      options.onFailure?.(error);
      const asked = error instanceof ApiError ? error.retryAfterMs : 0;
      await pause(Math.max(asked, backoff.next()), undefined, { signal }).catch(() => undefined);
    }
  }
}

async function relist<T>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<void> {
  const { items, version } = await options.source.list(signal);
  signal.throwIfAborted();
  options.store.replace(items);
  state.version = version;
  state.heardAtMs = performance.now();
  state.synced = true;
  setProblem(options, state, undefined);
  options.onHealth?.();
}

/** @returns whether the watch was of use: it lived a while, or brought something */
async function watchOnce<T>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<boolean> {
  const { source, silenceMs = 90_000 } = options;
  const silent = new AbortController();
  const over = new AbortController();
  const startedAtMs = performance.now();
  const watchdog = setTimeout(() => silent.abort(new Error(`Nothing was heard for ${silenceMs} ms`)), silenceMs);
  const timeoutSeconds = WATCH_SECONDS.least + Math.floor(Math.random() * (WATCH_SECONDS.most - WATCH_SECONDS.least));
  const from = { version: state.version ?? '', timeoutSeconds };
  let events = 0;
  try {
    for await (const event of await source.watch(from, AbortSignal.any([signal, silent.signal, over.signal]))) {
      signal.throwIfAborted();
      events += 1;
      watchdog.refresh();
      take(options, state, event);
    }
  } catch (error) {
    throw silent.signal.aborted && !signal.aborted ? silent.signal.reason : error;
  } finally {
    clearTimeout(watchdog);
    // An answer that was opened and not read to its end, because something after it failed, would stay open for minutes.
    over.abort(new Error('The watch is over'));
  }
  return events > 0 || performance.now() - startedAtMs >= SHORTEST_WATCH_MS;
}

function take<T>(options: ReflectorOptions<T>, state: State, { type, object }: WatchEvent): void {
  const { source, store } = options;
  if (type === 'DELETED') store.remove(source.project(object));
  else if (type !== 'BOOKMARK') store.put(source.project(object));
  state.version = object.metadata.resourceVersion ?? state.version;
  state.heardAtMs = performance.now();
  setProblem(options, state, undefined);
}

function setProblem<T>(options: ReflectorOptions<T>, state: State, problem: string | undefined): void {
  if (state.problem === problem) return;
  state.problem = problem;
  options.onHealth?.();
}
