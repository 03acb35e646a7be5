/** What every kind of target is made of: a sink that takes bytes, and in front of it a queue that counts all that happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DropReason, Metrics } from '../../observe/meters.ts';
import type { Logger } from '../logger.ts';
import { LossTeller } from '../loss-teller.ts';
import { scrubText } from '../scrub.ts';
import { LineQueue, type QueuedLine, type QueueLimits, type Settled } from './line-queue.ts';

/** Takes whole lines. A rejected write has left nothing behind, so that it can be repeated. */
export interface LineSink {
  write(lines: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** Thrown by a sink that will never take anything again. */
export class SinkGoneError extends Error {
  override readonly name = 'SinkGoneError';
}

/** For each target at any time: seen = delivered + waiting + the sum of dropped. */
export interface TargetCounts {
  readonly seen: number;
  readonly delivered: number;
  /** In the queue, or being written. */
  readonly waiting: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

/** A target as people see it. */
export interface TargetState extends TargetCounts {
  readonly name: string;
  readonly state: 'ok' | 'failing' | 'invalid';
  /** Since when it fails, ISO 8601 in UTC, and its last error, without credentials. */
  readonly failingSince?: string;
  readonly error?: string;
}

export interface Target {
  /**
   * Takes one record as a line, newline included; never waits and never throws.
   * @param settled called once, when the record was taken or dropped
   * @param id the record's, with its sequence (record-key.ts)
   */
  deliver(bytes: Buffer, settled: Settled, id: string): void;
  /**
   * Counts a record that was lost before it became a line.
   * @param id as of `deliver`
   */
  lose(reason: DropReason, id: string): void;
  /** One, or those of all targets that this one stands for. */
  states(): readonly TargetState[];
  /** Resolves when all that was delivered so far has left the queue, or the signal aborts; takes nothing afterwards. */
  close(signal: AbortSignal, reason: DropReason): Promise<void>;
}

export interface TargetServices {
  readonly metrics: Pick<Metrics, 'logged' | 'waiting'>;
  readonly logger: Logger;
}

const BATCH_BYTES = 256 * 1024;
const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 30_000;
const RETRY_CLOSING_MS = 100;

export class QueuedTarget implements Target {
  readonly #name: string;
  readonly #sink: LineSink;
  readonly #services: TargetServices;
  readonly #losses: LossTeller;
  readonly #queue: LineQueue;
  readonly #batchBytes: number;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  /** Ends a pause between two tries. */
  #hurry = new AbortController();
  #seen = 0;
  #delivered = 0;
  #writing: readonly QueuedLine[] = [];
  #writingBytes = 0;
  #pumping: Promise<void> | undefined;
  /** Once set, what comes is dropped for this reason. */
  #closed: DropReason | undefined;
  #failing: { readonly since: Date; readonly error: string } | undefined;
  #closing = false;

  /** @param limits `batchBytes`: most that is written at once, but for a single longer line */
  constructor(
    name: string,
    sink: LineSink,
    limits: QueueLimits & { readonly batchBytes?: number },
    services: TargetServices,
  ) {
    this.#batchBytes = Math.min(limits.batchBytes ?? BATCH_BYTES, BATCH_BYTES);
    this.#name = name;
    this.#sink = sink;
    this.#queue = new LineQueue(limits);
    this.#services = services;
    this.#losses = new LossTeller(services.logger);
  }

  deliver(bytes: Buffer, settled: Settled, id: string): void {
    this.#seen++;
    const line = { bytes, settled, id };
    if (this.#closed !== undefined) this.#drop([line], this.#closed);
    else {
      this.#drop(this.#queue.push(line), 'overflow');
      this.#start();
    }
    this.#report();
  }

  lose(reason: DropReason): void {
    this.#seen++;
    this.#count(1, reason);
  }

  counts(): TargetCounts {
    return {
      seen: this.#seen,
      delivered: this.#delivered,
      waiting: this.#queue.records + this.#writing.length,
      dropped: { ...this.#dropped },
    };
  }

  states(): readonly TargetState[] {
    const failing = this.#failing;
    const state = failing === undefined ? 'ok' : 'failing';
    const why = failing && { failingSince: failing.since.toISOString(), error: failing.error };
    return [{ name: this.#name, state, ...why, ...this.counts() }];
  }

  async close(signal: AbortSignal, reason: DropReason): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#closing = true;
    this.#hurry.abort();
    while (!signal.aborted && this.#closed === undefined && this.#start()) {
      await Promise.race([this.#pumping, aborted]);
    }
    this.#end(reason);
    this.#losses.close();
    await Promise.race([this.#sink.close().catch(() => {}), aborted]);
  }

  /** @returns whether there is something to write */
  #start(): boolean {
    if (this.#pumping !== undefined) return true;
    if (this.#queue.records === 0) return false;
    this.#pumping = this.#pump();
    return true;
  }

  async #pump(): Promise<void> {
    let pauseMs = RETRY_FIRST_MS;
    while (this.#closed === undefined && (this.#writing.length > 0 || this.#queue.records > 0)) {
      if (this.#writing.length === 0) this.#writing = this.#queue.take(this.#batchBytes);
      const batch = this.#writing;
      const bytes = Buffer.concat(batch.map((line) => line.bytes));
      this.#writingBytes = bytes.length;
      try {
        await this.#sink.write(bytes);
      } catch (error) {
        if (!this.#failed(error)) await this.#pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, RETRY_LAST_MS);
        continue;
      }
      pauseMs = RETRY_FIRST_MS;
      this.#wrote(batch);
    }
    // In the same turn as the look at the queue: what is delivered next must find no pump, or start one.
    this.#pumping = undefined;
  }

  #wrote(batch: readonly QueuedLine[]): void {
    // Closed meanwhile: these lines were counted as dropped already.
    if (this.#writing !== batch) return;
    this.#writing = [];
    this.#writingBytes = 0;
    this.#delivered += batch.length;
    this.#services.metrics.logged(this.#name, 'delivered', batch.length);
    for (const { settled } of batch) settled('delivered');
    if (this.#failing) this.#services.logger.info('Log target takes records again', { target: this.#name });
    this.#failing = undefined;
    this.#report();
  }

  /** @returns whether that is for good */
  #failed(error: unknown): boolean {
    const gone = error instanceof SinkGoneError;
    const problem = scrubText(error instanceof Error ? error.message : String(error));
    if (this.#failing === undefined && this.#closed === undefined) {
      const way = gone ? 'its records are dropped and counted' : 'records wait and the write is repeated';
      this.#services.logger.warn(`Cannot write to log target: ${way}`, { target: this.#name, problem });
    }
    this.#failing = { since: this.#failing?.since ?? new Date(), error: problem };
    if (gone) this.#end('failed');
    return gone;
  }

  async #pause(pauseMs: number): Promise<void> {
    this.#hurry = new AbortController();
    // Only a log that is being closed keeps the process alive for its next try.
    const options = { signal: this.#hurry.signal, ref: this.#closing };
    await sleep(this.#closing ? RETRY_CLOSING_MS : pauseMs, undefined, options).catch(() => {});
  }

  #end(reason: DropReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    const left = [...this.#writing, ...this.#queue.clear()];
    this.#writing = [];
    this.#writingBytes = 0;
    if (reason === 'shutdown' && left.length > 0) this.#tellCutOff(left.length);
    this.#drop(left, reason);
    this.#hurry.abort();
    this.#report();
  }

  #tellCutOff(records: number): void {
    const problem = this.#failing && { problem: this.#failing.error };
    const message = 'Log target closed before it took every record: the rest is dropped';
    this.#services.logger.warn(message, { target: this.#name, records, ...problem });
  }

  #drop(lines: readonly QueuedLine[], reason: DropReason): void {
    this.#count(lines.length, reason);
    for (const { settled } of lines) settled(reason);
  }

  #count(records: number, reason: DropReason): void {
    if (records === 0) return;
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + records;
    this.#services.metrics.logged(this.#name, `dropped_${reason}`, records);
    this.#losses.lost(this.#name, reason, records);
  }

  #report(): void {
    const { waiting } = this.counts();
    this.#services.metrics.waiting(this.#name, waiting, this.#queue.bytes + this.#writingBytes);
  }
}

/** A target that the config declares and that cannot work: what it is given is counted as dropped. */
export class InvalidTarget implements Target {
  readonly #name: string;
  readonly #message: string;
  readonly #services: TargetServices;
  #seen = 0;

  /** @param message why it cannot work */
  constructor(name: string, message: string, services: TargetServices) {
    this.#name = name;
    this.#message = message;
    this.#services = services;
  }

  deliver(_bytes: Buffer, settled: Settled): void {
    this.lose();
    settled('invalid');
  }

  lose(): void {
    this.#seen++;
    this.#services.metrics.logged(this.#name, 'dropped_invalid', 1);
  }

  states(): readonly TargetState[] {
    const counts = { seen: this.#seen, delivered: 0, waiting: 0, dropped: { invalid: this.#seen } };
    return [{ name: this.#name, state: 'invalid', error: this.#message, ...counts }];
  }

  async close(): Promise<void> {}
}
