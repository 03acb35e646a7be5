/** The spool itself, without its thread: takes records in, keeps a delivery for each target, and tells what became of them. */
import { isDeepStrictEqual } from 'node:util';
import { type SpooledTarget, targetFiles } from '#contract/compiled-targets.ts';
import { DRAIN_MS } from '../drain.ts';
import { recordKey } from '../record-key.ts';
import { scrubText } from '../scrub.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { deliverySource } from './delivery-source.ts';
import { Ledger } from './ledger.ts';
import type { Parcel, SpoolConfig, SpoolReply, SpoolRequest, TargetReport } from './messages.ts';
import type { OpenSink } from './open-sink.ts';
import { recordsOf } from './records-of.ts';
import type { NewRecord } from './rows.ts';
import { Storage } from './storage.ts';
import { stateOf, storageTeller } from './storage-teller.ts';
import { attemptOf, type Careful, leftAlone } from './suspicion.ts';
import { Turns } from './turns.ts';

export interface EngineOptions {
  readonly stateDirectory: string;
  readonly openSink: OpenSink;
  readonly send: (reply: SpoolReply) => void;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
  /** How long a removed target may still take what waits for it. @default 10000 */
  readonly drainMs?: number;
}

interface Served {
  readonly target: SpooledTarget;
  readonly credentials: ReadonlyMap<string, string>;
  readonly delivery: Delivery;
  failing?: { readonly sinceEpochMs: number; readonly error: string };
  refusalTold?: true;
  /** Set once the config has it no more. */
  leaving?: NodeJS.Timeout;
}

const UPKEEP_MS = 1_000;
const REPORT_MS = 200;
const ERROR_LENGTH = 300;

export class SpoolEngine {
  readonly #options: Required<EngineOptions>;
  readonly #ledger = new Ledger();
  readonly #served = new Map<string, Served>();
  #storage: Storage | undefined;
  #credentials: ReadonlyMap<string, string> = new Map();
  readonly #turns = new Turns();
  #careful: ReadonlyMap<string, Careful> = new Map();
  #gone: string[] = [];
  #upkeep: NodeJS.Timeout | undefined;
  #reporting: NodeJS.Timeout | undefined;
  #flushing = false;

  constructor(options: EngineOptions) {
    this.#options = { now: Date.now, drainMs: DRAIN_MS, ...options };
  }

  handle(request: SpoolRequest): void {
    switch (request.kind) {
      case 'configure':
        this.configure(request.config, request.careful);
        break;
      case 'add':
        this.add(recordsOf(request), request);
        break;
      case 'flush':
        this.flush();
        break;
      case 'close':
        void this.close();
        break;
    }
  }

  configure(config: SpoolConfig, careful: ReadonlyMap<string, Careful> = new Map()): void {
    this.#careful = careful;
    const { maxBytes, maxAgeMs, keepMs } = config;
    this.#credentials = config.credentials;
    const options = { maxBytes, maxAgeMs, keepMs };
    if (this.#storage === undefined) this.#storage = this.#open(options);
    else this.#storage.configure(options);
    const names = new Set(config.targets.map(({ name }) => name));
    for (const [name, served] of this.#served) if (!names.has(name)) this.#leave(name, served);
    for (const target of config.targets) this.#serve(target);
    // Those of an earlier process that the config has no more: nobody knows where they led.
    for (const name of this.#storage.targets()) if (!this.#served.has(name)) this.#remove(name);
    this.report();
    this.#armUpkeep();
  }

  add(records: readonly NewRecord[], parcel?: Parcel): void {
    const durable = this.#storage?.add(records, parcel) ?? false;
    this.#options.send({ kind: 'taken', durable });
    for (const { delivery } of this.#served.values()) delivery.wake();
    this.#tellGone();
    this.#changed();
    this.#armUpkeep();
  }

  flush(): void {
    this.#flushing = true;
    for (const { delivery } of this.#served.values()) delivery.hurry();
    this.#whenEmpty();
  }

  async close(): Promise<void> {
    clearTimeout(this.#upkeep);
    await Promise.all([...this.#served.values()].map(({ delivery }) => delivery.stop()));
    for (const [name, { leaving }] of this.#served) if (leaving !== undefined) this.#remove(name);
    this.#storage?.upkeep();
    this.#storage?.dropHeld();
    this.report();
    clearTimeout(this.#reporting);
    this.#storage?.close();
    this.#options.send({ kind: 'closed' });
  }

  report(): void {
    clearTimeout(this.#reporting);
    this.#reporting = undefined;
    const targets = [...this.#served.keys()].map((name) => this.#reportOf(name));
    this.#options.send({ kind: 'report', report: { targets, ...stateOf(this.#storage) } });
  }

  #open(options: ConstructorParameters<typeof Storage>[1]): Storage {
    const storage = new Storage(this.#options.stateDirectory, options, {
      ledger: this.#ledger,
      now: this.#options.now,
      tell: storageTeller({ ...this.#options, textOf: (error) => this.#textOf(error) }),
      gone: (id) => this.#gone.push(id),
    });
    return storage;
  }

  /** Only while there is something to keep up: an idle sidecar is not woken. */
  #armUpkeep(): void {
    this.#upkeep ??= setTimeout(() => {
      this.#upkeep = undefined;
      let left = this.#storage?.upkeep();
      while (left === 'more') left = this.#storage?.upkeep();
      this.#tellGone();
      this.#changed();
      if (left !== 'nothing') this.#armUpkeep();
    }, UPKEEP_MS);
  }

  #serve(target: SpooledTarget): void {
    const { name } = target;
    const credentials = new Map(targetFiles(target).map((file) => [file, this.#credentials.get(file) ?? '']));
    const known = this.#served.get(name);
    this.#tellHeld(target, known?.target);
    // One that was leaving, and is back in time, goes on with what waits.
    this.#storage?.subscribe(name);
    if (known !== undefined) {
      clearTimeout(known.leaving);
      delete known.leaving;
      if (isDeepStrictEqual([known.target, known.credentials], [target, credentials])) return;
      known.delivery.change(this.#deliveryOptions(target, credentials));
      this.#served.set(name, { ...known, target, credentials });
      return;
    }
    const careful = this.#careful.get(name) ?? {};
    if (careful.poison !== undefined) this.#setAside(name, careful.poison);
    this.#served.set(name, { target, credentials, delivery: this.#deliver(target, credentials, careful) });
    if (careful.pauseMs !== undefined) this.#failed(name, leftAlone(careful.pauseMs));
  }

  #tellHeld(target: SpooledTarget, before: SpooledTarget | undefined): void {
    const isHeld = target.kind === 'invalid';
    if (isHeld === (before?.kind === 'invalid')) return;
    const fields = { target: target.name, ...(isHeld && { problem: target.message }) };
    if (isHeld) this.#log('warn', 'Log target is invalid: its records wait in the spool until it is valid', fields);
    else this.#log('info', 'Log target is valid again: it gets what waits', fields);
  }

  /** The record over which the thread ended. @param id with its sequence */
  #setAside(name: string, id: string): void {
    const batch = this.#storage?.batch(name, { records: 1, bytes: 0 });
    const [record] = batch?.records ?? [];
    if (batch === undefined || record === undefined || recordKey(record) !== id) return;
    this.#storage?.settle(name, batch, 'failed');
    this.#storage?.listDropped({ target: name, id, reason: 'failed', error: 'The spool thread ended over it' });
    const message = 'The spool thread ended over a record again and again: it is dropped for this target';
    this.#log('error', message, { target: name, id });
  }

  #deliver(target: SpooledTarget, credentials: ReadonlyMap<string, string>, careful: Careful): Delivery {
    const { name } = target;
    return new Delivery(
      deliverySource(this.#storage as Storage, name, {
        settled: () => this.#settled(),
        refused: ({ records: [one] }, error) => one && this.#refused(name, recordKey(one), this.#textOf(error)),
      }),
      this.#deliveryOptions(target, credentials),
      {
        changed: (error) => this.#failed(name, error),
        random: Math.random,
        turns: this.#turns,
        attempting: (batch) => this.#options.send({ kind: 'attempting', target: name, attempt: attemptOf(batch) }),
        attempted: (settled) => this.#options.send({ kind: 'attempted', target: name, settled }),
      },
      careful,
    );
  }

  #refused(name: string, id: string, problem: string): void {
    this.#storage?.listDropped({ target: name, id, reason: 'refused', error: problem });
    const served = this.#served.get(name);
    if (served === undefined || served.refusalTold) return;
    served.refusalTold = true;
    const message = 'Log target refused a record for good: it is dropped, and later ones are counted without a line';
    this.#log('warn', message, { target: name, id, problem });
  }

  #deliveryOptions(target: SpooledTarget, credentials: ReadonlyMap<string, string>): DeliveryOptions {
    if (target.kind === 'invalid') return { writeTimeoutMs: 0 };
    // The sink keeps to the target's own limit; this one is for a sink that does not come back at all.
    return { open: () => this.#options.openSink(target, credentials), writeTimeoutMs: 2 * target.timeoutMs + 1_000 };
  }

  #leave(name: string, served: Served): void {
    if (served.leaving !== undefined) return;
    this.#storage?.finish(name);
    served.leaving = setTimeout(() => this.#left(name), this.#options.drainMs);
    this.#settled();
  }

  #left(name: string): void {
    const served = this.#served.get(name);
    if (served?.leaving === undefined) return;
    clearTimeout(served.leaving);
    void served.delivery.stop();
    this.#remove(name);
  }

  #remove(name: string): void {
    this.#storage?.remove(name);
    this.#served.delete(name);
    const report: TargetReport = { ...this.#reportOf(name), gone: true };
    this.#options.send({ kind: 'report', report: { targets: [report], ...stateOf(this.#storage) } });
  }

  #settled(): void {
    for (const [name, { leaving }] of this.#served) {
      if (leaving !== undefined && this.#storage?.waiting(name).records === 0) this.#left(name);
    }
    this.#tellGone();
    this.#changed();
    this.#whenEmpty();
  }

  #whenEmpty(): void {
    if (!this.#flushing) return;
    for (const [name, { target }] of this.#served) {
      if (target.kind !== 'invalid' && (this.#storage?.waiting(name).records ?? 0) > 0) return;
    }
    this.#flushing = false;
    this.#options.send({ kind: 'flushed' });
  }

  #failed(name: string, error: unknown): void {
    const served = this.#served.get(name);
    if (served === undefined) return;
    const { sinceEpochMs } = served.failing ?? {};
    if (error === undefined) delete served.failing;
    else served.failing = { sinceEpochMs: sinceEpochMs ?? this.#options.now(), error: this.#textOf(error) };
    if (error === undefined) this.#log('info', 'Log target takes records again', { target: name });
    else if (sinceEpochMs === undefined) {
      const message = 'Cannot write to log target: records wait in the spool and the write is repeated';
      this.#log('warn', message, { target: name, problem: this.#textOf(error) });
    }
    this.report();
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.send({ kind: 'log', level, message, fields });
  }

  #textOf(error: unknown): string {
    const text = error instanceof Error ? error.message : String(error);
    return scrubText(text, [...this.#credentials.values()]).slice(0, ERROR_LENGTH);
  }

  #reportOf(name: string): TargetReport {
    const waiting = this.#storage?.waiting(name) ?? { records: 0, bytes: 0 };
    const failing = this.#served.get(name)?.failing;
    const account = this.#ledger.account(name);
    return { name, account, base: this.#ledger.base(name), waiting, ...(failing && { failing }) };
  }

  #tellGone(): void {
    if (this.#gone.length > 0) this.#options.send({ kind: 'gone', ids: this.#gone.splice(0) });
  }

  #changed(): void {
    this.#reporting ??= setTimeout(() => this.report(), REPORT_MS);
  }
}
