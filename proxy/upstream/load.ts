/** How many exchanges each upstream has in flight from here, across config changes, and which are at their limit (limits.inFlight). */
import type { ValidUpstream } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { RETRY_AFTER_S } from '../listen/admission.ts';

export class Load {
  readonly #inFlight = new Map<string, number>();

  atLimit({ limits, name }: ValidUpstream): boolean {
    return limits?.inFlight !== undefined && this.count(name) >= limits.inFlight;
  }

  count(upstream: string): number {
    return this.#inFlight.get(upstream) ?? 0;
  }

  /** One exchange's place at an upstream; it has none before the first `move`. */
  place(): Place {
    return new Place(this);
  }

  add(upstream: string, change: 1 | -1): void {
    const count = this.count(upstream) + change;
    if (count > 0) this.#inFlight.set(upstream, count);
    else this.#inFlight.delete(upstream);
  }
}

/** An exchange takes up room at the upstream that it is trying, and at no other. */
export class Place {
  readonly #load: Load;
  #at: string | undefined;

  constructor(load: Load) {
    this.#load = load;
  }

  /** Goes to an upstream, from the one before. @throws ProxyError at_limit when it has no room; then it stays nowhere */
  move(upstream: ValidUpstream): void {
    if (this.#at === upstream.name) return;
    this.leave();
    if (this.#load.atLimit(upstream)) throw atLimit([upstream]);
    this.#at = upstream.name;
    this.#load.add(upstream.name, 1);
  }

  leave(): void {
    if (this.#at !== undefined) this.#load.add(this.#at, -1);
    this.#at = undefined;
  }
}

/** @param upstreams at least one, all at their limit */
export function atLimit(upstreams: readonly ValidUpstream[], route?: string): ProxyError {
  const [first] = upstreams;
  const names = upstreams.map(({ limits, name }) => `"${name}" has ${limits?.inFlight} exchanges in flight`).join(', ');
  const message = `Send the request again: upstream ${names}, its limit limits.inFlight`;
  return new ProxyError('at_limit', message, {
    retryAfterS: RETRY_AFTER_S,
    ...(route !== undefined && { route }),
    ...(first && { upstream: first.name }),
  });
}
