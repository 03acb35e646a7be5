/**
 * When which bytes of a stream leave, so that its words come at a natural rhythm: a state machine without a clock. Order is kept,
 * no byte is lost, and none leaves later than the lag allows.
 */
import type { CompiledPacing } from '#contract/compiled-tool-loop.ts';
import { RawEvents } from './raw-events.ts';
import { type PacedForm, splitWords } from './words.ts';

/** An event beyond this is none whose words people read: it, and what follows, leaves as it comes. */
const MOST_EVENT_BYTES = 1024 ** 2;

export interface PacerOptions {
  readonly form: PacedForm;
  readonly pacing: CompiledPacing;
  /** From 0 to 1. */
  readonly random: () => number;
}

interface Queued {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

export class Pacer {
  readonly #options: PacerOptions;
  readonly #events = new RawEvents();
  #queue: Queued[] = [];
  #lastWordMs = Number.NEGATIVE_INFINITY;
  #lastDueMs = Number.NEGATIVE_INFINITY;
  /** Whether the text so far ends between two words. */
  #betweenWords = true;
  #given = false;
  queuedBytes = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** Takes what arrived at that time; times never go back. */
  push(chunk: Buffer, nowMs: number): void {
    if (this.#given) {
      this.#add(chunk, nowMs);
      return;
    }
    for (const event of this.#events.push(chunk)) {
      for (const { bytes, text } of splitWords(event, this.#options.form)) {
        this.#add(bytes, text === undefined ? nowMs : this.#wordDueMs(text, nowMs));
      }
    }
    if (this.#events.pendingBytes > MOST_EVENT_BYTES) {
      this.#given = true;
      this.#add(this.#events.rest(), nowMs);
    }
  }

  /** What is to leave by that time, in order. */
  due(nowMs: number): Buffer[] {
    const index = this.#queue.findIndex(({ dueMs }) => dueMs > nowMs);
    return this.#take(index === -1 ? this.#queue.length : index);
  }

  /** When the next bytes are due; undefined: nothing waits. */
  get nextDueMs(): number | undefined {
    return this.#queue[0]?.dueMs;
  }

  /** Everything, at once: the stream has ended, in whatever way. */
  flush(): Buffer[] {
    const rest = this.#events.rest();
    if (rest.length > 0) this.#add(rest, this.#lastDueMs);
    return this.#take(this.#queue.length);
  }

  /** A word waits for its turn after the one before it, a word's next part or mere white space for nothing. */
  #wordDueMs(text: string, nowMs: number): number {
    const { minMs, maxMs, maxLagMs } = this.#options.pacing;
    const begins = /\S/u.test(text) && (this.#betweenWords || /^\s/u.test(text));
    this.#betweenWords = /\s$/u.test(text);
    if (!begins) return nowMs;
    const pauseMs = minMs + this.#options.random() * (maxMs - minMs);
    this.#lastWordMs = Math.min(Math.max(nowMs, this.#lastWordMs + pauseMs), nowMs + maxLagMs);
    return this.#lastWordMs;
  }

  /** Nothing overtakes. */
  #add(bytes: Buffer, dueMs: number): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    this.queuedBytes += bytes.length;
  }

  #take(count: number): Buffer[] {
    const taken = this.#queue.slice(0, count).map(({ bytes }) => bytes);
    this.#queue = this.#queue.slice(count);
    for (const bytes of taken) this.queuedBytes -= bytes.length;
    return taken;
  }
}
