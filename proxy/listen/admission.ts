/** How many exchanges are served at the same time, and the refusal of one more (spec.listen.limits.inFlight). */
import { ProxyError } from '../errors.ts';

/** When a client that was turned away may come again: exchanges end all the time. */
export const RETRY_AFTER_S = 1;

export class Admission {
  #inFlight = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Counts an exchange in.
   * @param limit undefined: none
   * @returns what counts it out again; call it once
   * @throws ProxyError at_limit
   */
  enter(limit: number | undefined): () => void {
    if (limit !== undefined && this.#inFlight >= limit) {
      const message = `Send the request again: this proxy serves ${limit} at the same time, its limit listen.limits.inFlight`;
      throw new ProxyError('at_limit', message, { retryAfterS: RETRY_AFTER_S });
    }
    this.#inFlight += 1;
    return () => {
      this.#inFlight -= 1;
    };
  }
}
