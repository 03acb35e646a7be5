/** What the rest of the proxy can tell the metrics: types only, so that nobody needs the registry to be tested. */
import type { Dialect } from '#contract/dialect.ts';
import type { StreamEndKind } from '#contract/stream-end.ts';
import type { AttemptOutcome } from '../exchange.ts';
import type { Usage } from '../stream/scan/usage.ts';
import type { McpMeters } from '../tools/mcp-source.ts';
import type { ToolLoopMeters } from '../tools/rounds.ts';

/** What a log target did with a record; `dropped_…` names the reason. */
export type RecordResult = (typeof RECORD_RESULTS)[number];
export type DropReason = (typeof DROP_REASONS)[number];
export const DROP_REASONS = [
  /** The queue was full; the oldest went first. */
  'overflow',
  /** We stopped before the target took it. */
  'shutdown',
  /** The target cannot take it, now or later: its reader is gone, or its path is not allowed. */
  'failed',
  /** The target was removed from the config before it took everything. */
  'removed',
  /** The target itself is invalid. */
  'invalid',
  /** The target understood it and will never take it. */
  'refused',
  /** The spool was full; the oldest went first. */
  'spool_full',
  /** It waited longer than the spool keeps records. */
  'expired',
  /** The spool's file was damaged. */
  'corrupt',
  /** It told of a running stream, and a newer record of the same exchange took its place while it waited. */
  'superseded',
] as const;
export const RECORD_RESULTS = ['delivered', ...DROP_REASONS.map((reason) => `dropped_${reason}` as const)] as const;

export type SpoolEvent = (typeof SPOOL_EVENTS)[number];
export const SPOOL_EVENTS = [
  /** The file was found damaged: it was renamed and a new one begun. */
  'set_aside',
  /** The file cannot be written: records are held in memory from now on. */
  'held_in_memory',
  /** The spool's thread ended unasked and was started again. */
  'restarted',
  /** A record lost the content of its bodies, for want of room. */
  'stripped',
] as const;

/** Meters of one answer, resolved once an exchange so that nothing is looked up per chunk. All values in milliseconds. */
export interface AnswerMeters {
  firstByte(ms: number): void;
  firstToken(ms: number): void;
  tokenGap(ms: number): void;
  overhead(ms: number): void;
  /** @param end how the stream ended */
  duration(ms: number, end: StreamEndKind): void;
}

export interface ExchangeLabels {
  readonly route: string | undefined;
  readonly upstream: string | undefined;
  readonly dialect: Dialect;
  /** Status sent to the client; 0 when none was. */
  readonly code: number;
  readonly end: StreamEndKind;
}

export interface Metrics extends ToolLoopMeters, McpMeters {
  readonly contentType: string;
  /** The registry in Prometheus' text format. */
  render(): Promise<string>;
  /** A config was loaded (`ok`) or refused; a refused one leaves the revision in force. */
  configLoaded(revision: string, ok: boolean): void;
  upstreamAvailable(upstream: string, available: boolean): void;
  /** Forgets the availability of upstreams that the config in force no longer has. */
  keepUpstreams(names: readonly string[]): void;
  attempted(upstream: string, outcome: AttemptOutcome): void;
  answer(route: string | undefined, upstream: string): AnswerMeters;
  /** A stream began (+1) or ended (-1). */
  activeStreams(change: 1 | -1): void;
  exchangeEnded(labels: ExchangeLabels): void;
  /** A request met a limit on exchanges in flight. @param upstream whose limit it was; undefined: the listener's own */
  limited(upstream: string | undefined): void;
  /** A gateway turned a request away and made no record of it. */
  unrecorded(): void;
  /** A part of a request or an answer that the other dialect has no place for. @param what one of a closed list of names */
  readonly translationLost: (upstream: string, what: string) => void;
  /** @param isChained a gateway of ours served the exchange: it counts the same tokens, as its own */
  tokens(model: string | undefined, usage: Usage, isChained?: boolean): void;
  /** A log target is in the config: what becomes of its records is counted from 0, as a rate cannot see a series' first value. */
  targetConfigured(target: string): void;
  logged(target: string, result: RecordResult, records: number): void;
  /** What waits for a target at this moment. */
  waiting(target: string, records: number, bytes: number): void;
  /** Exchanges that ended and whose record is not made yet. */
  unwritten(exchanges: number): void;
  /** Something befell the spool of records, so many times. */
  spoolEvent(event: SpoolEvent, times: number): void;
  /** Whether the spool holds records in memory alone at this moment. */
  spoolInMemory(inMemory: boolean): void;
  /** Forgets what waited for a target that is gone. */
  forgetTarget(target: string): void;
  /** Something that watches exchanges failed; the exchange itself went on. */
  watchFailed(part: 'journal' | 'record' | 'tap'): void;
}
