/** The exchange log: opens the tap of each exchange, and brings its record to every target. */
import type { CompiledConfig } from '#contract/compiled.ts';
import { CAPTURE_BYTES } from '#contract/disk-bounds.ts';
import type { OpenTap } from '../exchange.ts';
import type { Metrics } from '../observe/meters.ts';
import { ExchangeTap } from '../observe/tap.ts';
import { ARCHIVE_LABEL, type KeptRecords } from './audit/archive.ts';
import { ArchiveSlot } from './audit/archive-slot.ts';
import { CaptureBudget } from './capture.ts';
import { recordTarget } from './headers.ts';
import { Inheritance } from './inheritance.ts';
import { Journal } from './journal.ts';
import type { JournalEntry } from './journal-entries.ts';
import type { Logger } from './logger.ts';
import { PartialWriter } from './partials/partial-writer.ts';
import { PartialStates } from './partials/states.ts';
import { type Hop, present, type RecordIdentity } from './record.ts';
import { RecordMaker } from './record-maker.ts';
import { recoveredRecord } from './recovered.ts';
import { NO_RULES, rulesOf } from './rules.ts';
import type { StateHold } from './state-hold.ts';
import type { TargetState } from './targets/target.ts';
import { TargetSet } from './targets/target-set.ts';
import type { Workload } from './workload.ts';
import { RecordWriter } from './writer.ts';

export type { Workload } from './workload.ts';

export interface ExchangeLogOptions {
  /** Where the journal of open exchanges and the records of `file` targets lie. */
  readonly stateDirectory: string;
  /** Says whether the directory is ours; closed with the log. Absent: nobody else can have it. */
  readonly hold?: StateHold;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly workload: Workload;
  /** Which kind of process this is. @default 'sidecar' */
  readonly hop?: Hop;
  /** Bytes of bodies that all exchanges together may hold in memory until their records are written. @default 64 MiB */
  readonly captureBytes?: number;
}

export interface ExchangeLog {
  /**
   * Takes a config's logging part: unchanged targets go on, removed ones are drained, exchanges in flight keep their rules.
   * @param credentials content of the files that its targets name
   */
  configure(config: CompiledConfig, credentials?: ReadonlyMap<string, string>): void;
  readonly openTap: OpenTap;
  /** Each target of the config in force: whether it takes records, and what became of those it was to get. */
  targetStates(): readonly TargetState[];
  /** The kept records, while the config asks for them. */
  archive(): KeptRecords | undefined;
  /**
   * Makes the records of all exchanges that ended, and delivers until the signal aborts. What is left then stays in the spool
   * for the next start, or is counted as dropped where a target has no part in it. Takes up to two seconds longer.
   */
  close(signal: AbortSignal): Promise<void>;
}

const MIB = 1024 ** 2;
/** Records for stdout and files wait in memory, so such a target's share of the configured spool is bounded by what a sidecar can afford. */
const QUEUE_BYTES = 16 * MIB;
/**
 * A record stays in the spool for so long after everybody took it: a process that is killed just after has perhaps not closed
 * the exchange in its journal, and the next one must find that its record was there.
 */
const KEEP_MS = 5_000;
const NO_JOURNAL = 'Cannot write the journal: exchanges go on, but a crash would lose theirs without a record';
const NO_STATES =
  'Cannot keep what running streams said so far: they are recorded, but a crash would leave less of them';

/** Everything that lives as long as the log. */
function openParts(options: ExchangeLogOptions) {
  const { stateDirectory, metrics, logger, workload, hop = 'sidecar' } = options;
  const mayWrite = (): boolean => options.hold?.held ?? true;
  const journal = new Journal(stateDirectory, firstTold('journal', NO_JOURNAL, { metrics, logger }), mayWrite);
  const targets = new TargetSet();
  const kept = new ArchiveSlot(stateDirectory, { metrics, logger });
  const identity: RecordIdentity = { hop, workload };
  const maker = new RecordMaker({ identity, metrics, logger });
  const shared = { maker, metrics, logger, journal, targets: () => [...targets.targets, ...kept.targets] };
  const states = new PartialStates(stateDirectory, firstTold('record', NO_STATES, { metrics, logger }), { mayWrite });
  const writer = new RecordWriter({ ...shared, closed: (id) => states.forget(id) });
  const partials = new PartialWriter({ ...shared, states });
  const deliver = (entry: JournalEntry): void => recover(entry, { writer, states, identity, metrics, logger });
  const inheritance = new Inheritance({ journal, states, hold: options.hold, logger, deliver });
  return { mayWrite, journal, targets, kept, maker, writer, partials, inheritance };
}

export function openLog(options: ExchangeLogOptions): ExchangeLog {
  const { stateDirectory, metrics, logger, captureBytes = CAPTURE_BYTES } = options;
  const { mayWrite, journal, targets, kept, maker, writer, partials, inheritance } = openParts(options);
  const budget = new CaptureBudget(captureBytes);
  const progress = partials.begin.bind(partials);
  const finished = writer.add.bind(writer);
  let rules = NO_RULES;

  return {
    configure({ logging, ...config }, credentials = new Map()) {
      rules = rulesOf({ logging, ...config });
      for (const { name } of logging.targets) metrics.targetConfigured(name);
      if (logging.audit !== undefined) metrics.targetConfigured(ARCHIVE_LABEL);
      targets.configure(logging.targets, {
        stateDirectory,
        mayWrite,
        queueBytes: Math.min(logging.spoolBytes, QUEUE_BYTES),
        spool: { maxBytes: logging.spoolBytes, maxAgeMs: logging.spoolMaxAgeMs, keepMs: KEEP_MS, credentials },
        services: { metrics, logger },
      });
      kept.configure(logging.audit);
      inheritance.configured();
    },
    openTap(head) {
      const { id, receivedAtEpochMs: atEpochMs, method, dialect } = head;
      const target = recordTarget(head.target);
      // Written before its request leaves all the same: with the mark of its route.
      journal.soon({ mark: 'opened', id, ...present('exchange', head.exchange), atEpochMs, method, target, dialect });
      return new ExchangeTap(head, { rules, budget, metrics, logger, journal, progress, finished });
    },
    targetStates: () => targets.states(),
    archive: () => kept.archive,
    async close(signal) {
      inheritance.close();
      partials.close();
      await writer.close(signal);
      await maker.close();
      await Promise.all([targets.close(signal), kept.close(signal)]);
      journal.close();
      options.hold?.close();
    },
  };
}

interface Recovery {
  readonly writer: RecordWriter;
  readonly states: PartialStates;
  readonly identity: RecordIdentity;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

function recover(entry: JournalEntry, { writer, states, identity, metrics, logger }: Recovery): void {
  try {
    writer.put(recoveredRecord(entry, identity, states.read(entry.id)));
  } catch (error) {
    metrics.watchFailed('record');
    logger.warn('Cannot make the record of an exchange that was found in the journal', { id: entry.id, error });
  }
  // One that had ended was counted by the process that ended it.
  if (entry.end !== undefined) return;
  metrics.exchangeEnded({ route: entry.route, upstream: undefined, dialect: entry.dialect, code: 0, end: 'killed' });
}

/** Each failure is counted; the log hears of the first, as a full disk fails at every exchange. */
function firstTold(
  part: 'journal' | 'record',
  message: string,
  { metrics, logger }: Pick<Recovery, 'metrics' | 'logger'>,
) {
  let told = false;
  return (error: unknown): void => {
    metrics.watchFailed(part);
    if (told) return;
    told = true;
    logger.error(message, { error });
  };
}
