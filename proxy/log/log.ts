/** The exchange log: opens the tap of each exchange, and brings its record to every target. */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { OpenTap } from '../exchange.ts';
import type { Metrics } from '../observe/meters.ts';
import { ExchangeTap } from '../observe/tap.ts';
import { CaptureBudget } from './capture.ts';
import { recordTarget } from './headers.ts';
import { Journal } from './journal.ts';
import type { JournalEntry } from './journal-entries.ts';
import type { Logger } from './logger.ts';
import type { Hop, RecordIdentity } from './record.ts';
import { recoveredRecord } from './recovered.ts';
import { NO_RULES, rulesOf } from './rules.ts';
import { TargetSet } from './targets/target-set.ts';
import type { Workload } from './workload.ts';
import { RecordWriter } from './writer.ts';

export type { Workload } from './workload.ts';

export interface ExchangeLogOptions {
  /** Where the journal of open exchanges and the records of `file` targets lie. */
  readonly stateDirectory: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly workload: Workload;
  /** Which kind of process this is. @default 'sidecar' */
  readonly hop?: Hop;
  /** Bytes of bodies that all exchanges together may hold in memory until their records are written. @default 64 MiB */
  readonly captureBytes?: number;
}

export interface ExchangeLog {
  /** Takes a config's logging part: unchanged targets go on, removed ones are drained, exchanges in flight keep their rules. */
  configure(config: CompiledConfig): void;
  readonly openTap: OpenTap;
  /** Flushes until the signal aborts; what is left then is counted as dropped. */
  close(signal: AbortSignal): Promise<void>;
}

const MIB = 1024 ** 2;
/** Records wait in memory, so a target's share of the configured spool is bounded by what a sidecar can afford. */
const QUEUE_BYTES = 16 * MIB;

export function openLog(options: ExchangeLogOptions): ExchangeLog {
  const { stateDirectory, metrics, logger, workload, hop = 'sidecar', captureBytes = 64 * MIB } = options;
  const journal = new Journal(stateDirectory, journalFailure(metrics, logger));
  const targets = new TargetSet();
  const identity: RecordIdentity = { hop, workload };
  const writer = new RecordWriter({ identity, metrics, logger, journal, targets: () => targets.targets });
  const budget = new CaptureBudget(captureBytes);
  let rules = NO_RULES;
  let recovered: readonly JournalEntry[] = journal.recover();
  if (recovered.length > 0)
    logger.warn('Found exchanges that the process before left open', { exchanges: recovered.length });

  return {
    configure(config) {
      rules = rulesOf(config);
      const queueBytes = Math.min(config.logging.spoolBytes, QUEUE_BYTES);
      targets.configure(config.logging.targets, { stateDirectory, queueBytes, services: { metrics, logger } });
      for (const entry of recovered) recover(entry, { writer, identity, metrics, logger });
      recovered = [];
    },
    openTap(head) {
      const { id, receivedAtEpochMs: atEpochMs, method, dialect } = head;
      journal.now({ mark: 'opened', id, atEpochMs, method, target: recordTarget(head.target), dialect });
      return new ExchangeTap(head, { rules, budget, metrics, logger, journal, finished: (facts) => writer.add(facts) });
    },
    async close(signal) {
      await writer.close(signal);
      await targets.close(signal);
      journal.close();
    },
  };
}

interface Recovery {
  readonly writer: RecordWriter;
  readonly identity: RecordIdentity;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

function recover(entry: JournalEntry, { writer, identity, metrics, logger }: Recovery): void {
  try {
    writer.put(recoveredRecord(entry, identity));
  } catch (error) {
    metrics.watchFailed('record');
    logger.warn('Cannot make the record of an exchange that was found in the journal', { id: entry.id, error });
  }
  // One that had ended was counted by the process that ended it.
  if (entry.end !== undefined) return;
  metrics.exchangeEnded({ route: entry.route, upstream: undefined, dialect: entry.dialect, code: 0, end: 'killed' });
}

/** Each failure is counted; the log hears of the first, as a full disk fails at every exchange. */
function journalFailure(metrics: Metrics, logger: Logger): (error: unknown) => void {
  let told = false;
  return (error) => {
    metrics.watchFailed('journal');
    if (told) return;
    told = true;
    logger.error('Cannot write the journal: exchanges go on, but a crash would lose theirs without a record', {
      error,
    });
  };
}
