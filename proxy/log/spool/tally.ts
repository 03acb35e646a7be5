/** What the log knows of each network target: the thread's last report, and what never reached the thread. */
import { DROP_REASONS, type DropReason, type Metrics } from '../../observe/meters.ts';
import { tellLeaving } from '../drain.ts';
import type { Logger } from '../logger.ts';
import { LossTeller } from '../loss-teller.ts';
import type { TargetState } from '../targets/target.ts';
import { type Dropped, sumOf } from './ledger.ts';
import type { SpoolReport, TargetReport } from './messages.ts';
import type { Extent } from './rows.ts';

export interface TallyServices {
  readonly metrics: Pick<Metrics, 'logged' | 'waiting' | 'forgetTarget' | 'spoolEvent' | 'spoolInMemory'>;
  readonly logger: Pick<Logger, 'warn'>;
  /** Whether a target of this name is served by somebody else, so that its gauges must stay. */
  readonly isLocal: (name: string) => boolean;
}

/** A target of the config. */
interface Declared {
  readonly name: string;
  /** Why it cannot work as it is declared, if so. */
  readonly message?: string;
}

/** What the metrics were told of, in terms of the thread's accounts. */
interface Told {
  readonly delivered: number;
  readonly dropped: Dropped;
}

export class Tally {
  readonly #services: TallyServices;
  readonly #losses: LossTeller;
  /** Those of the config. */
  #names: readonly string[] = [];
  #invalid: ReadonlyMap<string, string> = new Map();
  readonly #reports = new Map<string, TargetReport>();
  readonly #told = new Map<string, Told>();
  /** What was told of and is in none of the thread's accounts: it hears of it later. */
  readonly #unheard = new Map<string, Dropped>();
  #stripped = 0;
  /** On its way to the thread, for every target. */
  #unwritten: Extent = { records: 0, bytes: 0 };

  constructor(services: TallyServices) {
    this.#services = services;
    this.#losses = new LossTeller(services.logger);
  }

  configure(targets: readonly Declared[]): void {
    const names = targets.map(({ name }) => name);
    for (const name of this.#names) {
      if (!names.includes(name)) tellLeaving(this.#services.logger, name, this.#waitingFor(name).records);
    }
    this.#names = names;
    this.#invalid = new Map(targets.flatMap(({ name, message }) => (message === undefined ? [] : [[name, message]])));
  }

  /** Says of losses what was not said yet. */
  close(): void {
    this.#losses.close();
  }

  /** Records that were given up because this process ends, over all targets. */
  get cutOff(): number {
    const before = (name: string): number => this.#reports.get(name)?.base.dropped.shutdown ?? 0;
    return this.#names.reduce((sum, name) => sum + (this.#told.get(name)?.dropped.shutdown ?? 0) - before(name), 0);
  }

  /** Records that no target will get; the thread hears of them later. */
  lost(reason: DropReason, records: number): void {
    for (const name of this.#names) {
      const { delivered, dropped } = this.#told.get(name) ?? { delivered: 0, dropped: {} };
      this.#told.set(name, { delivered, dropped: sum(dropped, { [reason]: records }) });
      this.#unheard.set(name, sum(this.#unheard.get(name) ?? {}, { [reason]: records }));
      this.#drop(name, reason, records);
    }
  }

  /** The thread wrote these losses down: they are in its accounts from now on. */
  confirmed(lost: Dropped): void {
    for (const [name, unheard] of this.#unheard) this.#unheard.set(name, less(unheard, lost));
  }

  /** The thread ended, and with it so many records that were in its memory alone: they wait no more, whatever it said last. */
  ended(held: number): void {
    for (const [name, report] of this.#reports) this.#reports.set(name, withoutHeld(report, held));
    for (const name of this.#names) this.#gauge(name);
  }

  waiting(unwritten: Extent): void {
    this.#unwritten = unwritten;
    for (const name of this.#names) this.#gauge(name);
  }

  hear({ targets, stripped, inMemory }: SpoolReport): void {
    this.#services.metrics.spoolInMemory(inMemory);
    for (const report of targets) this.#hearOf(report);
    // A thread that was started again begins at 0.
    const more = stripped >= this.#stripped ? stripped - this.#stripped : stripped;
    this.#services.metrics.spoolEvent('stripped', more);
    this.#losses.stripped(more);
    this.#stripped = stripped;
  }

  /** At any time: seen = delivered + waiting + the sum of dropped. */
  states(): TargetState[] {
    return this.#names.map((name) => {
      const report = this.#reports.get(name);
      const account = report?.account ?? { seen: 0, delivered: 0, dropped: {} };
      const dropped = most(account.dropped, this.#told.get(name)?.dropped ?? {});
      const unheard = sumOf(dropped) - sumOf(account.dropped);
      return {
        name,
        ...stateOf(report, this.#invalid.get(name)),
        seen: account.seen + unheard + this.#unwritten.records,
        delivered: account.delivered,
        waiting: this.#waitingFor(name).records,
        dropped,
      };
    });
  }

  #hearOf(report: TargetReport): void {
    const { name, account, base } = report;
    const before = this.#reports.get(name);
    let told = this.#told.get(name) ?? { delivered: 0, dropped: {} };
    // What earlier processes did is no part of this one's metrics; nor can anything be less than it was, but in a new file or
    // after a thread whose accounts were in memory alone.
    if (before === undefined || account.seen < before.account.seen)
      told = { delivered: base.delivered, dropped: sum(base.dropped, this.#unheard.get(name) ?? {}) };
    this.#services.metrics.logged(name, 'delivered', Math.max(0, account.delivered - told.delivered));
    for (const reason of DROP_REASONS) {
      const more = (account.dropped[reason] ?? 0) - (told.dropped[reason] ?? 0);
      if (more > 0) this.#drop(name, reason, more);
    }
    this.#told.set(name, { delivered: account.delivered, dropped: most(account.dropped, told.dropped) });
    this.#reports.set(name, report);
    if (report.gone && !this.#names.includes(name)) {
      if (!this.#services.isLocal(name)) this.#services.metrics.forgetTarget(name);
    } else if (this.#names.includes(name)) this.#gauge(name);
  }

  #drop(name: string, reason: DropReason, records: number): void {
    this.#services.metrics.logged(name, `dropped_${reason}`, records);
    this.#losses.lost(name, reason, records);
  }

  #gauge(name: string): void {
    const { records, bytes } = this.#waitingFor(name);
    this.#services.metrics.waiting(name, records, bytes);
  }

  #waitingFor(name: string): Extent {
    const { records, bytes } = this.#reports.get(name)?.waiting ?? { records: 0, bytes: 0 };
    return { records: records + this.#unwritten.records, bytes: bytes + this.#unwritten.bytes };
  }
}

/** @param invalid why the target cannot work as it is declared: the thread does not even try */
function stateOf(
  report: TargetReport | undefined,
  invalid: string | undefined,
): Pick<TargetState, 'state' | 'failingSince' | 'error'> {
  if (invalid !== undefined) return { state: 'invalid', error: invalid };
  const failing = report?.failing;
  if (failing === undefined) return { state: 'ok' };
  const failingSince = new Date(failing.sinceEpochMs).toISOString();
  return { state: 'failing', failingSince, error: failing.error };
}

/** Of what waits, what is in the file is delivered first: a report of fewer records than were held has none in the file. */
function withoutHeld(report: TargetReport, held: number): TargetReport {
  const { account, waiting } = report;
  const lost = Math.min(held, waiting.records);
  if (lost === 0) return report;
  const records = waiting.records - lost;
  return {
    ...report,
    account: { ...account, seen: account.seen - lost },
    waiting: { records, bytes: Math.round((waiting.bytes * records) / waiting.records) },
  };
}

function most(a: Dropped, b: Dropped): Dropped {
  return merge(a, b, Math.max);
}

function sum(a: Dropped, b: Dropped): Dropped {
  return merge(a, b, (one, other) => one + other);
}

function less(a: Dropped, b: Dropped): Dropped {
  return merge(a, b, (one, other) => one - other);
}

function merge(a: Dropped, b: Dropped, by: (a: number, b: number) => number): Dropped {
  return Object.fromEntries(
    DROP_REASONS.flatMap((reason) => {
      const records = by(a[reason] ?? 0, b[reason] ?? 0);
      return records > 0 ? [[reason, records] as const] : [];
    }),
  );
}
