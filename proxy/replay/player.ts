/** Plays one recording: each chunk at its time, none while the other side has no room, and at last the end that it had. */
import type { DispatchHandler, ResponseController } from '../upstream/pool.ts';
import type { Recording } from './recording.ts';

/** A timer may come so early; a chunk that is due within it is not waited for again. */
const EARLY_MS = 1;
/** Longest wait that a timer can be given. */
const MOST_WAIT_MS = 2 ** 31 - 1;

/** Thrown at whoever reads: the answer breaks off here, as it did when it was recorded. */
class RecordedCutError extends Error {
  override readonly name = 'RecordedCutError';
  readonly code = 'RECORDED_CUT';
}

export class Player implements ResponseController {
  readonly #handler: DispatchHandler;
  readonly #speed: number;
  readonly #over = Promise.withResolvers<void>();
  #recording: Recording | undefined;
  /** When the request was begun; times of the recording count from here. */
  #startedAt = 0;
  #next = 0;
  #headSent = false;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];

  /** @param speed 2 is twice as fast; 0: without any wait */
  constructor(handler: DispatchHandler, speed: number) {
    this.#handler = handler;
    this.#speed = speed;
  }

  /** Resolves when nothing comes any more. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  begin(): void {
    this.#startedAt = performance.now();
    this.#handler.onRequestStart?.(this, {});
  }

  play(recording: Recording): void {
    if (this.#ended) return;
    this.#recording = recording;
    this.rawHeaders = [...recording.rawHeaders];
    this.#go();
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.#settle();
    this.#handler.onResponseError?.(this, error);
  }

  abort(reason: Error): void {
    if (this.#ended) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  pause(): void {
    this.paused = true;
    clearTimeout(this.#timer);
  }

  /** What became due meanwhile comes at once, still chunk by chunk; what is not, at its time. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    setImmediate(() => this.#go());
  }

  #go(): void {
    const recording = this.#recording;
    clearTimeout(this.#timer);
    while (recording !== undefined && !this.#ended && !this.paused) {
      const step = recording.steps[this.#next];
      const waitMs = this.#dueIn(step?.atMs ?? recording.endsAtMs);
      if (waitMs > EARLY_MS) {
        this.#timer = setTimeout(() => this.#go(), Math.min(Math.ceil(waitMs), MOST_WAIT_MS));
        return;
      }
      if (!this.#headSent) this.#sendHead(recording);
      else if (step) {
        this.#next++;
        this.#handler.onResponseData?.(this, step.bytes);
      } else this.#end(recording);
    }
  }

  /** The head comes with the first byte: records do not tell how much earlier it came. */
  #sendHead({ status }: Recording): void {
    this.#headSent = true;
    this.#handler.onResponseStart?.(this, status, {}, '');
  }

  #end({ cut }: Recording): void {
    if (cut) {
      this.fail(new RecordedCutError('The recorded answer breaks off here'));
      return;
    }
    this.#settle();
    this.#handler.onResponseEnd?.(this, {});
  }

  #dueIn(atMs: number): number {
    if (this.#speed === 0) return 0;
    return this.#startedAt + atMs / this.#speed - performance.now();
  }

  #settle(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#over.resolve();
  }
}
