/**
 * Requests that a gateway turns away: whoever reaches the port can send any number. Each is counted; a few a second are recorded,
 * so that people see who was refused, and the rest leaves neither a record nor a byte on the disk.
 */
import type { OpenTap, RequestHead, Tap, Verdict } from '../exchange.ts';
import type { Metrics } from '../observe/meters.ts';

/** Records after a quiet time, and each second from then on. */
const BURST = 60;
const PER_SECOND = 1;

export interface StrangersOptions {
  readonly openTap: OpenTap;
  readonly metrics: Pick<Metrics, 'exchangeEnded' | 'unrecorded'>;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly #now: () => number;
  #allowed = BURST;
  #sinceMs: number;

  constructor(options: StrangersOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#sinceMs = this.#now();
  }

  readonly openTap: OpenTap = (head) => {
    if (this.#take()) return this.#options.openTap(head);
    return new CountingTap(head, this.#options.metrics);
  };

  #take(): boolean {
    const nowMs = this.#now();
    this.#allowed = Math.min(BURST, this.#allowed + ((nowMs - this.#sinceMs) / 1000) * PER_SECOND);
    this.#sinceMs = nowMs;
    if (this.#allowed < 1) return false;
    this.#allowed -= 1;
    return true;
  }
}

const NOTHING_SEEN: Verdict = { terminal: 'unknown', error: undefined, content: false, atBoundary: true };

/** Counts the exchange and keeps nothing of it. */
class CountingTap implements Tap {
  readonly #head: RequestHead;
  readonly #metrics: StrangersOptions['metrics'];

  constructor(head: RequestHead, metrics: StrangersOptions['metrics']) {
    this.#head = head;
    this.#metrics = metrics;
  }

  matched(): void {}
  requestChunk(): void {}
  attempted(): void {}
  toolCalled(): void {}
  answered(): void {}
  answerChunk(): void {}
  delivered(): void {}

  verdict(): Verdict {
    return NOTHING_SEEN;
  }

  ended({ kind }: Parameters<Tap['ended']>[0], status: number): void {
    const { dialect } = this.#head;
    this.#metrics.exchangeEnded({ route: undefined, upstream: undefined, dialect, code: status, end: kind });
    this.#metrics.unrecorded();
  }
}
