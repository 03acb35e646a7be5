/**
 * Brings waiting records to one target: in batches, in order, at least once. Each target has a delivery of its own, so that a
 * slow one, or one that hangs, holds back nobody else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BusyError, type RecordSink, RefusedError } from '../targets/sink.ts';
import type { DeliverySource } from './delivery-source.ts';
import type { Batch } from './storage.ts';
import type { Careful } from './suspicion.ts';
import type { Turns } from './turns.ts';

export interface DeliveryOptions {
  /** Opens the sink, at the first record and after each change. Absent: nothing is tried, and all waits for a change. */
  readonly open?: () => Promise<RecordSink>;
  /** Opening, or a write, that takes longer has failed. */
  readonly writeTimeoutMs: number;
}

export interface DeliveryServices {
  /** Told when a target begins to fail, with the error, and when it works again. */
  readonly changed: (error: unknown) => void;
  /** @returns 0 to 1 */
  readonly random: () => number;
  readonly turns: Turns;
  /** Told what is about to be done, should the thread end over it. @param batch absent while the target is being opened */
  readonly attempting: (batch?: Batch) => void;
  /** @param settled whether records were taken, or refused for good */
  readonly attempted: (settled: boolean) => void;
}

/** What comes together leaves together, */
const LINGER_MS = 50;
/** and what comes so soon after a batch gathers for the next one: each is a write to the target and one to the disk. */
const APART_MS = 1000;
const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 30_000;
/** A target may ask for more than we would wait by ourselves, but not for ever. */
const BUSY_LAST_MS = 300_000;
const RETRY_HURRY_MS = 250;
/** A sink that does not come to its end is left behind. */
const CLOSE_MS = 500;

export class Delivery {
  readonly #source: DeliverySource;
  readonly #services: DeliveryServices;
  #options: DeliveryOptions;
  #sink: RecordSink | undefined;
  #wakeUp = Promise.withResolvers<void>();
  /** Ends a pause early. */
  #pause = new AbortController();
  #working = new AbortController();
  readonly #stopping = new AbortController();
  /** Ended by what makes the target another one. */
  #leftAlone = new AbortController();
  #careful: Careful;
  /** Nobody else is served meanwhile. */
  #alone: boolean;
  #stopped = false;
  #hurried = false;
  #failing: boolean;
  /** After a refusal: most records of a batch, and the number up to which the culprit is looked for, or 0. */
  #most = Number.POSITIVE_INFINITY;
  #suspectThrough = 0;
  #pauseMs = RETRY_FIRST_MS;
  /** What the target itself asked for. */
  #busyMs = 0;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  readonly #running: Promise<void>;

  constructor(source: DeliverySource, options: DeliveryOptions, services: DeliveryServices, careful: Careful = {}) {
    this.#source = source;
    this.#options = options;
    this.#services = services;
    this.#careful = careful;
    this.#alone = careful.throughSeq !== undefined;
    this.#failing = careful.pauseMs !== undefined;
    this.#running = this.#run();
  }

  /** There may be something to deliver. */
  wake(): void {
    this.#wakeUp.resolve();
    if (this.#isFull()) this.#pause.abort();
  }

  /** From now on nothing is waited for that could be tried at once. */
  hurry(): void {
    this.#hurried = true;
    this.wake();
    this.#pause.abort();
  }

  /** Goes on with another address or other credentials, at once. */
  change(options: DeliveryOptions): void {
    this.#options = options;
    const old = this.#sink;
    this.#sink = undefined;
    this.#pauseMs = RETRY_FIRST_MS;
    this.#working.abort(new Error('The target was changed'));
    this.#leftAlone.abort();
    this.#wakeUp.resolve();
    this.#pause.abort();
    void closeSink(old);
  }

  /** Breaks off what is being written; it stays waiting. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeUp.resolve();
    this.#leftAlone.abort();
    this.#pause.abort();
    const closing = new Error('The log is being closed');
    this.#stopping.abort(closing);
    this.#working.abort(closing);
    await this.#running;
    await closeSink(this.#sink);
  }

  async #run(): Promise<void> {
    // Hurry does not end this one: it could end the thread, with what the other targets are given last.
    if (this.#careful.pauseMs !== undefined)
      await sleep(this.#careful.pauseMs, undefined, { signal: this.#leftAlone.signal }).catch(() => {});
    while (!this.#stopped) {
      if (this.#isIdle()) {
        await this.#wakeUp.promise;
        this.#wakeUp = Promise.withResolvers();
        continue;
      }
      if (!this.#failing && this.#suspectThrough === 0) await this.#gather();
      if (this.#stopped) return;
      if (this.#isIdle()) continue;
      const batch = await this.#attempt();
      if (batch === 'failed' && !this.#stopped) await this.#backOff();
    }
  }

  /** One batch, or the pause that a missing one asks for. */
  async #attempt(): Promise<'done' | 'failed'> {
    const options = this.#options;
    let batch: Batch | undefined;
    let settled = false;
    let leave = (): void => {};
    this.#attemptedAtMs = performance.now();
    try {
      leave = await this.#services.turns.enter(this.#alone, this.#stopping.signal);
      const sink = await this.#opened(options);
      batch = this.#source.next({ ...sink.batch, records: this.#mostRecords(sink) });
      // It could not be read; that it waits is known all the same.
      if (batch === undefined) return 'failed';
      const { records } = batch;
      this.#services.attempting(batch);
      await this.#within(options.writeTimeoutMs, (signal) => sink.write(records, signal));
      settled = true;
      this.#succeeded(batch);
      return 'done';
    } catch (error) {
      if (this.#stopped) return 'failed';
      // What failed is not what is configured now.
      if (options !== this.#options) return 'done';
      if (error instanceof RefusedError && batch !== undefined) {
        settled = true;
        this.#narrow(batch, error);
        return 'done';
      }
      this.#failed(error);
      return 'failed';
    } finally {
      this.#services.attempted(settled);
      // The thread lives: whoever hangs or is down shall not hold up the others.
      if (!settled) this.#alone = false;
      leave();
    }
  }

  #mostRecords(sink: RecordSink): number {
    const { throughSeq, mostRecords = Number.POSITIVE_INFINITY } = this.#careful;
    return throughSeq === undefined ? Math.min(sink.batch.records, this.#most, mostRecords) : 1;
  }

  async #opened(options: DeliveryOptions): Promise<RecordSink> {
    if (this.#sink !== undefined) return this.#sink;
    this.#services.attempting();
    const opening = options.open?.() ?? Promise.reject(new Error('The target is held back'));
    let sink: RecordSink;
    try {
      sink = await this.#within(options.writeTimeoutMs, () => opening);
    } catch (error) {
      // One that opens all the same is of no use any more.
      void opening.then(closeSink, () => {});
      throw error;
    }
    if (options !== this.#options) {
      void closeSink(sink);
      throw new Error('The target was changed while it was being opened');
    }
    this.#sink = sink;
    return sink;
  }

  /** What does not listen to the signal must not hold its target's delivery for ever. */
  async #within<Result>(timeoutMs: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    this.#working = new AbortController();
    const signal = AbortSignal.any([this.#working.signal, AbortSignal.timeout(timeoutMs)]);
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work(signal), aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #succeeded(batch: Batch): void {
    this.#pauseMs = RETRY_FIRST_MS;
    const last = batch.records.at(-1)?.seq ?? 0;
    // Past the batch that was refused and no culprit: it was refused as a whole, for its length perhaps.
    if (last >= this.#suspectThrough) this.#lengthen();
    this.#source.delivered(batch);
    this.#trust(last);
    if (!this.#failing) return;
    this.#failing = false;
    this.#services.changed(undefined);
  }

  #lengthen(): void {
    this.#suspectThrough = 0;
    this.#most *= 2;
    if (this.#sink !== undefined && this.#most >= this.#sink.batch.records) this.#most = Number.POSITIVE_INFINITY;
  }

  /** Halves until the culprit is alone, and drops that one. */
  #narrow(batch: Batch, error: RefusedError): void {
    const { length } = batch.records;
    if (length > 1) {
      this.#most = Math.ceil(length / 2);
      this.#suspectThrough = Math.max(this.#suspectThrough, batch.records.at(-1)?.seq ?? 0);
      return;
    }
    this.#most = Number.POSITIVE_INFINITY;
    this.#suspectThrough = 0;
    this.#source.refused(batch, error);
    this.#trust(batch.records[0]?.seq ?? 0);
  }

  /** Past the records over one of which the thread ended. */
  #trust(seq: number): void {
    const { throughSeq, mostRecords } = this.#careful;
    if (throughSeq === undefined || seq < throughSeq) return;
    this.#careful = mostRecords === undefined ? {} : { mostRecords };
    this.#alone = false;
  }

  #failed(error: unknown): void {
    this.#busyMs = error instanceof BusyError ? Math.min(error.retryAfterMs ?? 0, BUSY_LAST_MS) : 0;
    this.#failing = true;
    this.#services.changed(error);
  }

  async #backOff(): Promise<void> {
    // Half of it by chance: a target that comes back is not hit by every sidecar in the same moment.
    const ownMs = this.#pauseMs * (0.5 + this.#services.random() / 2);
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_LAST_MS);
    await this.#rest(Math.max(this.#hurried ? RETRY_HURRY_MS : ownMs, this.#busyMs));
  }

  /** A target of few large writes says itself how long. */
  async #gather(): Promise<void> {
    const apartMs = this.#attemptedAtMs + APART_MS - performance.now();
    const ms = Math.max(LINGER_MS, apartMs, this.#sink?.batch.lingerMs ?? 0);
    if (!this.#hurried && !this.#stopped && !this.#isFull()) await this.#rest(ms);
  }

  async #rest(ms: number): Promise<void> {
    this.#pause = new AbortController();
    await sleep(ms, undefined, { signal: this.#pause.signal }).catch(() => {});
  }

  #isIdle(): boolean {
    return this.#options.open === undefined || this.#source.waiting().records === 0;
  }

  #isFull(): boolean {
    const sink = this.#sink;
    const { records, bytes } = this.#source.waiting();
    return sink !== undefined && !this.#failing && (records >= this.#mostRecords(sink) || bytes >= sink.batch.bytes);
  }
}

async function closeSink(sink: RecordSink | undefined): Promise<void> {
  const late = sleep(CLOSE_MS, undefined, { ref: false });
  await Promise.race([sink?.close().catch(() => {}), late]);
}
