/**
 * The network targets together, as the log sees them: lines go to the spool's thread, and are settled once it has written them
 * down. One batch is under way at a time; what comes meanwhile waits here, within bounds, and leaves as the next one.
 */
import { randomUUID } from 'node:crypto';
import type { DropReason } from '../../observe/meters.ts';
import { idsOf, LineQueue, type QueuedLine, type Settled } from '../targets/line-queue.ts';
import type { Target, TargetServices, TargetState } from '../targets/target.ts';
import { isLoss, type Losses, lossesInAll, lossesOf, NO_LOSSES } from './losses.ts';
import type { SpoolConfig, SpoolReply } from './messages.ts';
import { type SpoolThread, type SpoolThreadEvents, startSpoolThread } from './spool-thread.ts';
import { Suspicion } from './suspicion.ts';
import { Tally, type TallyServices } from './tally.ts';

export interface SpoolOptions {
  readonly stateDirectory: string;
  readonly services: TargetServices & TallyServices;
  /** @default a thread of its own */
  readonly startThread?: (stateDirectory: string, events: SpoolThreadEvents) => SpoolThread;
}

const MIB = 1024 ** 2;
/** What may wait for the thread. */
const QUEUE = { bytes: 16 * MIB, records: 10_000 };
const BATCH_BYTES = MIB;
/** What comes together leaves together, */
const TOGETHER_MS = 25;
/** and what comes so soon after a batch gathers for the next one: each wakes two threads and is a transaction. */
const GATHER_MS = 250;
/** How long the last records may take to be written down, and the thread to close, when the time for deliveries is over. */
const COMMIT_MS = 300;
const CLOSE_MS = 900;
/** A batch that the thread ended over so often is taken to be the reason. */
const MOST_CRASHES = 3;

interface Sending {
  readonly lines: readonly QueuedLine[];
  readonly number: number;
  readonly lost: Losses;
}

export class Spool implements Target {
  readonly #services: SpoolOptions['services'];
  readonly #thread: SpoolThread;
  readonly #queue = new LineQueue(QUEUE);
  readonly #tally: Tally;
  #config: SpoolConfig;
  /** With the thread at the moment, and not acknowledged yet. */
  #sending: Sending | undefined;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #gathering: NodeJS.Timeout | undefined;
  readonly #run = randomUUID();
  #number = 0;
  /** How often the thread ended since it last took a batch. */
  #crashes = 0;
  readonly #suspicion = new Suspicion();
  /** In the thread's memory alone. */
  readonly #held = new Map<string, Settled>();
  /** Lost before they reached the thread, and not on their way to it. */
  #lost = NO_LOSSES;
  /** It could not write losses down: they go there again with the next records. */
  #lostWaits = false;
  #closing = false;
  #closed: DropReason | undefined;
  #changed = Promise.withResolvers<void>();
  #flushed = false;
  #ended = false;

  /** Starts the thread. */
  constructor(config: SpoolConfig, { stateDirectory, services, startThread = startSpoolThread }: SpoolOptions) {
    this.#config = config;
    this.#services = services;
    this.#tally = new Tally(services);
    this.#tally.configure(config.targets);
    this.#thread = startThread(stateDirectory, {
      reply: (reply) => this.#hear(reply),
      started: () => this.#greet(),
      ended: (error) => this.#threadEnded(error),
    });
  }

  configure(config: SpoolConfig): void {
    this.#config = config;
    this.#tally.configure(config.targets);
    // What gathers is for those targets that were in force when it came.
    this.#send();
    this.#thread.post({ kind: 'configure', config });
  }

  deliver(bytes: Buffer, settled: Settled, id: string): void {
    if (this.#closed !== undefined) {
      this.#drop([{ bytes, settled, id }], this.#closed);
      return;
    }
    this.#drop(this.#queue.push({ bytes, settled, id }), 'overflow');
    this.#sendSoon();
    this.#tellWaiting();
  }

  lose(reason: DropReason, id: string): void {
    this.#lose(reason, [id]);
    this.#sendSoon();
  }

  states(): readonly TargetState[] {
    return this.#tally.states();
  }

  async close(signal: AbortSignal, reason: DropReason): Promise<void> {
    this.#thread.hold();
    this.#closing = true;
    this.#lostWaits = false;
    this.#send();
    await this.#until(() => this.#unwritten === 0, signal);
    await this.#until(() => this.#unwritten === 0, AbortSignal.timeout(COMMIT_MS));
    this.#thread.post({ kind: 'flush' });
    await this.#until(() => this.#flushed || !this.#thread.running, signal);
    this.#closed = reason;
    this.#drop(this.#queue.clear(), reason);
    this.#thread.post({ kind: 'close' });
    await this.#until(() => this.#ended || !this.#thread.running, AbortSignal.timeout(CLOSE_MS));
    await this.#thread.terminate();
    // What was under way may have been taken while the thread closed.
    this.#drop(this.#sending?.lines ?? [], reason);
    this.#sending = undefined;
    for (const settled of this.#held.values()) settled(reason);
    this.#held.clear();
    this.#tellWaiting();
    this.#tally.close();
    this.#tellClosed();
  }

  get #unwritten(): number {
    return this.#queue.records + (this.#sending?.lines.length ?? 0);
  }

  /** Whether there is anything to tell the thread. */
  get #hasNews(): boolean {
    return this.#queue.records > 0 || (!this.#lostWaits && isLoss(this.#lost));
  }

  #greet(): void {
    this.#thread.post({ kind: 'configure', config: this.#config, careful: this.#suspicion.careful() });
    // The thread knows a parcel by its number: one that was written down before the old thread ended is not counted again.
    if (this.#sending !== undefined) this.#post(this.#sending);
    else this.#send();
  }

  #sendSoon(): void {
    if (this.#closing || this.#queue.bytes >= BATCH_BYTES) this.#send();
    if (this.#sending !== undefined || !this.#hasNews) return;
    const restMs = Math.max(TOGETHER_MS, this.#sentAtMs + GATHER_MS - performance.now());
    this.#gathering ??= setTimeout(() => this.#send(), restMs).unref();
  }

  #send(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (!this.#thread.running || this.#sending !== undefined) return;
    if (!this.#hasNews) return;
    this.#number += 1;
    this.#sentAtMs = performance.now();
    this.#sending = { lines: this.#queue.take(BATCH_BYTES), number: this.#number, lost: this.#lost };
    this.#lost = NO_LOSSES;
    this.#post(this.#sending);
  }

  #post({ lines, number, lost }: Sending): void {
    const lengths = lines.map(({ bytes }) => bytes.length - 1);
    const bytes = new Uint8Array(new ArrayBuffer(lengths.reduce((sum, length) => sum + length, 0)));
    let at = 0;
    for (const line of lines) {
      // Without its newline.
      bytes.set(line.bytes.subarray(0, -1), at);
      at += line.bytes.length - 1;
    }
    const ids = idsOf(lines);
    this.#thread.post({ kind: 'add', run: this.#run, number, ids, lengths, bytes, lost }, [bytes.buffer]);
  }

  #hear(reply: SpoolReply): void {
    switch (reply.kind) {
      case 'taken':
        this.#taken(reply.durable);
        break;
      case 'gone':
        for (const id of reply.ids) this.#gone(id);
        break;
      case 'report':
        this.#tally.hear(reply.report);
        this.#tellWaiting();
        break;
      case 'log':
        this.#services.logger[reply.level](reply.message, { ...reply.fields });
        break;
      case 'event':
        this.#services.metrics.spoolEvent(reply.event, 1);
        break;
      case 'attempting':
        this.#suspicion.attempting(reply.target, reply.attempt);
        return;
      case 'attempted':
        this.#suspicion.attempted(reply.target, reply.settled);
        return;
      case 'flushed':
        this.#flushed = true;
        break;
      case 'closed':
        this.#ended = true;
        break;
    }
    this.#notify();
  }

  #taken(durable: boolean): void {
    const { lines = [], lost = NO_LOSSES } = this.#sending ?? {};
    this.#sending = undefined;
    this.#crashes = 0;
    this.#lostWaits = !durable;
    if (durable) this.#tally.confirmed(lost.counts);
    else this.#lost = lossesInAll(lost, this.#lost);
    for (const { id, settled } of lines) {
      if (durable) settled('delivered');
      else this.#held.set(id, settled);
    }
    this.#sendSoon();
  }

  #gone(id: string): void {
    this.#held.get(id)?.('delivered');
    this.#held.delete(id);
  }

  #threadEnded(error: unknown): void {
    // As it was told to.
    if (this.#ended) return;
    this.#services.metrics.spoolEvent('restarted', 1);
    const serving = this.#suspicion.ended();
    const message = 'The spool thread ended: it is started again';
    this.#services.logger.error(message, { error, inMemory: this.#held.size, serving });
    this.#crashes += 1;
    if (this.#crashes >= MOST_CRASHES && this.#sending !== undefined) {
      const { lines, lost } = this.#sending;
      this.#sending = undefined;
      this.#lost = lossesInAll(lost, this.#lost);
      this.#drop(lines, 'failed');
    }
    const held = new Map(this.#held);
    this.#held.clear();
    this.#tally.ended(held.size);
    this.#lose('failed', [...held.keys()]);
    for (const settled of held.values()) settled('failed');
    this.#notify();
  }

  #lose(reason: DropReason, ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#tally.lost(reason, ids.length);
    // What a shutdown cut off is found in the journal by the next start, and counted then.
    if (reason !== 'shutdown') this.#lost = lossesInAll(this.#lost, lossesOf(reason, ids));
  }

  #drop(lines: readonly QueuedLine[], reason: DropReason): void {
    this.#lose(reason, idsOf(lines));
    for (const { settled } of lines) settled(reason);
  }

  #tellWaiting(): void {
    this.#tally.waiting({ records: this.#unwritten, bytes: this.#queue.bytes });
  }

  /** One line that accounts for everything at the end. */
  #tellClosed(): void {
    const targets = Object.fromEntries(
      this.states().map(({ name, delivered, waiting, dropped }) => [name, { delivered, waiting, dropped }]),
    );
    const left = this.states().some(({ waiting }) => waiting > 0);
    const { cutOff } = this.#tally;
    const notes = [
      ...(left ? ['; what waits stays in the spool for the next start'] : []),
      ...(cutOff > 0 ? ['; what could not be written down is dropped'] : []),
    ];
    const fields = { targets, ...(cutOff > 0 && { cutOff }) };
    this.#services.logger[notes.length > 0 ? 'warn' : 'info'](`Log closed${notes.join('')}`, fields);
  }

  async #until(reached: () => boolean, signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    while (!reached() && !signal.aborted) await Promise.race([this.#changed.promise, aborted.promise]);
    signal.removeEventListener('abort', abort);
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
