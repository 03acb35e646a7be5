/** Finished exchanges -> records -> targets, one after the other between the event loop's turns, so that no stream waits for them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metrics } from '../observe/meters.ts';
import type { ExchangeFacts } from './exchange-facts.ts';
import type { Journal } from './journal.ts';
import type { Logger } from './logger.ts';
import { type LoggedRecord, present } from './record.ts';
import { recordKey, type StateOfRecord } from './record-key.ts';
import { recordLine } from './record-line.ts';
import { RecordMaker } from './record-maker.ts';
import type { Settled } from './targets/line-queue.ts';
import type { Target } from './targets/target.ts';

export interface WriterOptions {
  readonly maker: Pick<RecordMaker, 'make' | 'count' | 'hurry'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly journal: Journal;
  /** The targets of the config in force. */
  readonly targets: () => readonly Target[];
  /** Told of each exchange whose record needs no second chance any more. */
  readonly closed: (id: string) => void;
}

/** Finished exchanges that may wait for their record; their bodies are bounded by the capture budget. */
const WAITING_LIMIT = 10_000;
/** So long a turn of the event loop may take for records before streams have their turn again. */
const TURN_MS = 1;
/** Records that may be in the hands of the thread that makes them; on a busy core it takes a while for each message. */
const AT_ONCE = 256;

export class RecordWriter {
  readonly #options: WriterOptions;
  /** In the order in which they ended; no record of them is being made yet. */
  readonly #waiting = new Set<ExchangeFacts>();
  readonly #begun = new Map<ExchangeFacts, Promise<void>>();
  #beginning: Promise<void> | undefined;
  #stopped = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  add(facts: ExchangeFacts): void {
    this.#waiting.add(facts);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > WAITING_LIMIT && oldest !== undefined) {
      this.#waiting.delete(oldest);
      this.#lose([oldest], 'overflow');
    }
    this.#tellUnwritten();
    this.#beginSoon();
  }

  /** A record that is ready, such as one of an exchange that was found in the journal. */
  put(record: LoggedRecord): void {
    this.#put(record, recordLine(record));
  }

  /** Finishes what waits until the signal aborts; the rest is counted as dropped. */
  async close(signal: AbortSignal): Promise<void> {
    this.#options.maker.hurry();
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#unwritten > 0 && !signal.aborted)
      await Promise.race([aborted, ...this.#begun.values(), ...(this.#beginning ? [this.#beginning] : [])]);
    this.#stopped = true;
    const left = [...this.#begun.keys(), ...this.#waiting];
    this.#begun.clear();
    this.#waiting.clear();
    this.#lose(left, 'shutdown');
    this.#tellUnwritten();
  }

  get #unwritten(): number {
    return this.#waiting.size + this.#begun.size;
  }

  get #mayBegin(): boolean {
    return !this.#stopped && this.#waiting.size > 0 && this.#begun.size < AT_ONCE;
  }

  #beginSoon(): void {
    if (this.#mayBegin) this.#beginning ??= this.#begin();
  }

  /** As many as the next turn has time for. */
  async #begin(): Promise<void> {
    await nextTurn();
    const turnEndsAt = performance.now() + TURN_MS;
    for (const facts of this.#waiting) {
      if (!this.#mayBegin || performance.now() > turnEndsAt) break;
      const made = this.#make(facts);
      // What another thread makes need not be waited for.
      if (!RecordMaker.isApart(facts)) await made;
    }
    this.#beginning = undefined;
    this.#beginSoon();
  }

  /** Never rejects. */
  #make(facts: ExchangeFacts): Promise<void> {
    const made = Promise.withResolvers<void>();
    this.#waiting.delete(facts);
    this.#begun.set(facts, made.promise);
    void this.#write(facts).finally(() => {
      this.#begun.delete(facts);
      release(facts);
      made.resolve();
      this.#beginSoon();
    });
    return made.promise;
  }

  async #write(facts: ExchangeFacts): Promise<void> {
    try {
      if (!facts.rules.records) {
        await this.#options.maker.count(facts);
        if (this.#takeOff(facts)) this.#close(facts.head.id);
        return;
      }
      const line = await this.#options.maker.make(facts);
      // Taken off only now: what is being worked on when the log closes still has to be counted.
      if (!this.#takeOff(facts)) return;
      this.#put(stateOf(facts), line);
    } catch (error) {
      this.#options.metrics.watchFailed('record');
      this.#options.logger.error('Cannot make the record of an exchange: it is counted as dropped', {
        id: facts.head.id,
        error,
      });
      if (this.#takeOff(facts)) this.#lose([facts], 'failed');
    }
  }

  #put(state: StateOfRecord, line: Buffer): void {
    const targets = this.#options.targets();
    const settled = this.#closing(state.id, targets.length);
    const key = recordKey(state);
    for (const target of targets) target.deliver(line, settled, key);
  }

  /** @returns whether it was not counted as lost meanwhile */
  #takeOff(facts: ExchangeFacts): boolean {
    const was = this.#begun.delete(facts);
    this.#tellUnwritten();
    return was;
  }

  #tellUnwritten(): void {
    this.#options.metrics.unwritten(this.#unwritten);
  }

  #lose(lost: readonly ExchangeFacts[], reason: 'overflow' | 'shutdown' | 'failed'): void {
    const targets = this.#options.targets();
    for (const facts of lost) {
      const key = recordKey(stateOf(facts));
      for (const target of targets) target.lose(reason, key);
      release(facts);
      if (reason !== 'shutdown') this.#close(facts.head.id);
    }
  }

  #close(id: string): void {
    this.#options.journal.soon({ mark: 'closed', id });
    this.#options.closed(id);
  }

  /**
   * Closes the exchange in the journal when every target is done with its record. What a shutdown cut off stays open, so that
   * the next start still writes down that it was.
   */
  #closing(id: string, targets: number): Settled {
    let left = targets;
    let interrupted = false;
    const close = (): void => {
      if (!interrupted) this.#close(id);
    };
    if (left === 0) close();
    return (fate) => {
      interrupted ||= fate === 'shutdown';
      left--;
      if (left === 0) close();
    };
  }
}

function stateOf({ head, sequence }: ExchangeFacts): StateOfRecord {
  return { id: head.id, ...present('sequence', sequence) };
}

/** What was captured of it; nothing happens when that was done before. */
function release({ requestBody, responseBody, arrivals }: ExchangeFacts): void {
  requestBody.release();
  responseBody.release();
  arrivals?.release();
}
