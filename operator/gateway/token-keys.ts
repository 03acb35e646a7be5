/**
 * The cluster's public keys for service account tokens, read now and then: gateways verify tokens with them, without asking
 * anybody. Nothing is read before a gateway wants them, and what was read stays when the API server cannot be asked.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type TokenKeys, tokenKeysOf } from '#contract/token-keys.ts';
import { describeError } from '../errors.ts';
import type { Key } from '../watch/key.ts';

export interface TokenKeyOptions {
  /** Reads the API server's two documents. */
  readonly read: (signal: AbortSignal) => Promise<{ readonly discovery: unknown; readonly keySet: unknown }>;
  /** Called with the key of each resource to look at again. */
  readonly onChange: (key: Key) => void;
  /** An API server has a new key for longer than this before it signs with it. @default 60 s, and 5 s while there are none */
  readonly everyMs?: { readonly known: number; readonly unknown: number };
}

/** `problem`: why they are not known yet; undefined while they were not asked for. */
export type TokenKeyState =
  | { readonly kind: 'known'; readonly keys: TokenKeys }
  | { readonly kind: 'unknown'; readonly problem: string | undefined };

const EVERY_MS = { known: 60_000, unknown: 5000 };

export class TokenKeyReader {
  readonly #options: Required<TokenKeyOptions>;
  readonly #wantedBy = new Set<Key>();
  readonly #stopping = new AbortController();
  #state: TokenKeyState = { kind: 'unknown', problem: undefined };
  #running: Promise<void> | undefined;

  constructor({ read, onChange, everyMs = EVERY_MS }: TokenKeyOptions) {
    this.#options = { read, onChange, everyMs };
  }

  /** What is known; from the first call on it is read, and each change brings the resource back. */
  want(owner: Key): TokenKeyState {
    this.#wantedBy.add(owner);
    this.#running ??= this.#run();
    return this.#state;
  }

  forget(owner: Key): void {
    this.#wantedBy.delete(owner);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The operator stops'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const before = this.#state;
      this.#state = await this.#read(before, signal);
      if (!isDeepStrictEqual(before, this.#state)) for (const key of this.#wantedBy) this.#options.onChange(key);
      await pause(this.#options.everyMs[this.#state.kind], undefined, { signal }).catch(() => undefined);
    }
  }

  async #read(before: TokenKeyState, signal: AbortSignal): Promise<TokenKeyState> {
    try {
      const { discovery, keySet } = await this.#options.read(signal);
      const keys = tokenKeysOf(discovery, keySet);
      if (keys) return { kind: 'known', keys };
      return before.kind === 'known' ? before : { kind: 'unknown', problem: 'The API server publishes no usable key.' };
    } catch (error) {
      return before.kind === 'known' ? before : { kind: 'unknown', problem: describeError(error) };
    }
  }
}
