/**
 * Records of streams that are still running, one after the other, with pauses: each newer one replaces the one before. What they
 * cost is bounded however many streams there are, and how long: then they come less often. The end of a stream waits for none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metrics } from '../../observe/meters.ts';
import type { FactsSoFar } from '../exchange-facts.ts';
import type { Journal } from '../journal.ts';
import type { Logger } from '../logger.ts';
import { recordKey } from '../record-key.ts';
import type { RecordMaker } from '../record-maker.ts';
import type { Target } from '../targets/target.ts';
import type { PartialStates } from './states.ts';

/** A running stream. */
export interface ProgressSource {
  readonly id: string;
  readonly everyMs: number;
  /** Bytes of the answer so far: without more of them there is nothing new to tell. */
  readonly answerBytes: () => number;
  readonly soFar: () => FactsSoFar;
}

export interface Progress {
  /** The stream is over. @returns the sequence that the record of the whole has: one more than the last that left */
  end(): number;
}

export type BeginProgress = (source: ProgressSource) => Progress;

export interface PartialWriterOptions {
  readonly maker: Pick<RecordMaker, 'make'>;
  readonly states: Pick<PartialStates, 'keep'>;
  readonly journal: Pick<Journal, 'now'>;
  readonly metrics: Pick<Metrics, 'watchFailed'>;
  readonly logger: Pick<Logger, 'error'>;
  /** The targets of the config in force. */
  readonly targets: () => readonly Target[];
  /** @default waits, and keeps no process alive for it */
  readonly rest?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

interface Running {
  readonly source: ProgressSource;
  /** Of its next record. */
  sequence: number;
  /** Of the answer, when it was last recorded. */
  recordedBytes: number;
  ended: boolean;
  timer?: NodeJS.Timeout;
}

/** All of them together, as lines: 4 MiB a second. */
const BYTES_PER_MS = 4 * 1024 * 1.024;
/** So many times what one took is paused after it. */
const PAUSES = 4;

export class PartialWriter {
  readonly #options: Required<PartialWriterOptions>;
  /** Those whose time has come, in that order. */
  readonly #due = new Set<Running>();
  readonly #closing = new AbortController();
  #working = false;
  #failureTold = false;

  constructor(options: PartialWriterOptions) {
    this.#options = { rest: (ms, signal) => sleep(ms, undefined, { ref: false, signal }), ...options };
  }

  begin(source: ProgressSource): Progress {
    const running: Running = { source, sequence: 0, recordedBytes: 0, ended: false };
    this.#arm(running);
    return {
      end: () => {
        running.ended = true;
        clearTimeout(running.timer);
        this.#due.delete(running);
        return running.sequence;
      },
    };
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#closing.abort();
    for (const { timer } of this.#due) clearTimeout(timer);
    this.#due.clear();
  }

  #arm(running: Running): void {
    const due = (): void => {
      if (this.#closing.signal.aborted) return;
      this.#due.add(running);
      if (!this.#working) void this.#work();
    };
    running.timer = setTimeout(due, running.source.everyMs).unref();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (const running of this.#due) {
      this.#due.delete(running);
      const began = performance.now();
      const bytes = await this.#record(running);
      if (!running.ended) this.#arm(running);
      const pauseMs = Math.max(PAUSES * (performance.now() - began), bytes / BYTES_PER_MS);
      await this.#options.rest(pauseMs, this.#closing.signal).catch(() => {});
    }
    // In the same turn as the look at the set, so that what becomes due now is not left lying.
    this.#working = false;
  }

  /** Never rejects. @returns bytes of the record; 0 when there was nothing to tell */
  async #record(running: Running): Promise<number> {
    const { source } = running;
    const answerBytes = source.answerBytes();
    if (answerBytes === running.recordedBytes) return 0;
    running.recordedBytes = answerBytes;
    try {
      const line = await this.#options.maker.make({ ...source.soFar(), sequence: running.sequence });
      if (this.#isOver(running)) return 0;
      await this.#options.states.keep(source.id, line);
      if (!this.#isOver(running)) this.#put(running, line);
      return line.length;
    } catch (error) {
      this.#failed(source.id, error);
      return 0;
    }
  }

  /** Written down first that it leaves: whatever comes after a crash has a higher sequence. */
  #put(running: Running, line: Buffer): void {
    const { id } = running.source;
    const sequence = running.sequence++;
    this.#options.journal.now({ mark: 'partial', id, sequence });
    for (const target of this.#options.targets()) target.deliver(line, () => {}, recordKey({ id, sequence }));
  }

  #isOver({ ended }: Running): boolean {
    return ended || this.#closing.signal.aborted;
  }

  #failed(id: string, error: unknown): void {
    this.#options.metrics.watchFailed('record');
    if (this.#failureTold) return;
    this.#failureTold = true;
    this.#options.logger.error('Cannot record the progress of a stream: its record is made when it is over', {
      id,
      error,
    });
  }
}
