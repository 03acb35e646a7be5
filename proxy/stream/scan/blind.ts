/** For answers whose end nobody can read from their bytes: no event stream, an encoded one, or one of an unknown form. */
import type { Verdict } from '../../exchange.ts';
import type { StreamScanner } from '../scan.ts';
import { SseReader } from './sse.ts';

const UNKNOWN: Verdict = { terminal: 'unknown', error: undefined, content: false, atBoundary: false };

/** An answer that is not an event stream we can see into. */
export class BlindScanner implements StreamScanner {
  readonly contentEvents = 0;
  readonly model = undefined;
  readonly usage = undefined;

  push(): void {}

  verdict(): Verdict {
    return UNKNOWN;
  }
}

/** An event stream of a form that we do not know: only the boundaries between its events are told. */
export class PlainStreamScanner implements StreamScanner {
  readonly contentEvents = 0;
  readonly model = undefined;
  readonly usage = undefined;
  readonly #sse = new SseReader(() => {});

  push(chunk: Buffer, from?: number, to?: number): void {
    this.#sse.push(chunk, from, to);
  }

  verdict(): Verdict {
    return { ...UNKNOWN, atBoundary: this.#sse.atBoundary };
  }
}
