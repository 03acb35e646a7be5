/** Long request bodies that are held whole, to be translated or sent again with each turn of a tool loop: bounded one by one and in all. */
import { ProxyError } from '../errors.ts';

/** Longest request that is held whole: parsed and written anew, one takes about ten times as much memory. */
export const WHOLE_BODY_BYTES = 8 * 1024 ** 2;
/** All of them together; a sidecar's memory is 256 MiB by default. */
const ALL_BYTES = 16 * 1024 ** 2;
const RETRY_AFTER_S = 1;

export class ByteBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws ProxyError at_limit when there is not so much left */
  take(bytes: number): void {
    if (bytes > this.#left) {
      const message =
        'Send the request again in a moment: too many long requests are being translated, or run tools, at this time';
      throw new ProxyError('at_limit', message, { retryAfterS: RETRY_AFTER_S });
    }
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** The process' own. */
export const LONG_BODIES = new ByteBudget(ALL_BYTES);
