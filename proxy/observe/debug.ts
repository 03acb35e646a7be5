/** Who gets log lines about its own exchange: whoever sends `sluice-debug: 1`, where the resource allows it, up to a bound. */
import type { IncomingRequest } from '../listen/incoming.ts';
import { headerValue } from '../listen/raw-headers.ts';
import type { Logger } from '../log/logger.ts';
import { DebugLines } from './debug-lines.ts';

/** Most exchanges that are written about in a minute; a client that always asks must not flood the log. */
const MOST_A_MINUTE = 60;
const MINUTE_MS = 60_000;

export class DebugLog {
  readonly #logger: Logger;
  #windowAt = 0;
  #count = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param isOff by the resource @returns undefined when nothing is to be written about this exchange */
  open(incoming: IncomingRequest, isOff: boolean): DebugLines | undefined {
    const asked = headerValue(incoming.head.rawHeaders, 'sluice-debug');
    if (isOff || (asked !== '1' && asked !== 'true')) return undefined;
    const now = performance.now();
    if (this.#windowAt === 0 || now - this.#windowAt > MINUTE_MS) {
      this.#windowAt = now;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= MOST_A_MINUTE) return new DebugLines(incoming, this.#logger);
    if (this.#count === MOST_A_MINUTE + 1) {
      this.#logger.warn('Debug lines are left out until the minute is over', { most: MOST_A_MINUTE });
    }
    return undefined;
  }
}
