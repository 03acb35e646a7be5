/** What a run gives, as it lies in docs/performance/*.json: the rig's report, whose run it was, and on what machine. */
import type { LogCounts } from './log-counts.ts';
import type { Plan } from './scenarios.ts';

/** Microseconds. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One run as go/main.go reports it. */
export interface Report {
  readonly plan: Plan;
  readonly windowSeconds: number;
  readonly opened: number;
  /** Answers that ended inside the window. */
  readonly answers: number;
  /** Requests that were due in the window and not sent, as too many were open. */
  readonly heldBack?: number;
  readonly events: number;
  readonly bytes: number;
  readonly errors: number;
  readonly errorTexts: readonly string[] | null;
  /** From the request's last byte to the first event (JSON: to the answer's last byte). */
  readonly firstEventUs: Summary;
  /** From the upstream's write to the client's read, per event. */
  readonly delayUs: Summary;
  /** How late the rig's own scheduled sends were. */
  readonly lagUs: Summary;
  readonly subject: {
    readonly userSeconds: number;
    readonly systemSeconds: number;
    readonly rssStartBytes: number;
    readonly rssMostBytes: number;
    readonly rssPeakBytes: number;
    /** At the end of the window; results of earlier versions have none. */
    readonly rssEndBytes?: number;
    readonly rssAfterBytes: number;
    readonly descriptorsInWindow: number;
    readonly descriptorsAfter: number;
  };
  readonly rig: { readonly cpuSeconds: number; readonly foreignSeconds: number; readonly stealSeconds: number };
  readonly pouredBytes: number;
}

export interface LoadRun {
  readonly subject: string;
  readonly pass: number;
  /** Absent when the run broke off. */
  readonly report?: Report;
  /** Of subjects whose log is measured. */
  readonly log?: LogCounts;
  /** Why it broke off. */
  readonly failure?: string;
}

/** What a run that came to its end gave. */
export interface Measured {
  readonly report: Report;
  readonly log?: LogCounts;
}

/** What a subject's runs gave, those that broke off left out. */
export function measuredOf(runs: readonly LoadRun[], subject: string): Measured[] {
  return runs.flatMap(({ subject: name, report, log }) =>
    name === subject && report ? [{ report, ...(log && { log }) }] : [],
  );
}

/** The reports of a subject's runs. */
export function reportsOf(runs: readonly LoadRun[], subject: string): Report[] {
  return measuredOf(runs, subject).map(({ report }) => report);
}

/** Errors of a subject's runs, a run that broke off counted as one: above 0 none of its figures stand. */
export function errorsOf(runs: readonly LoadRun[], subject: string): number {
  const own = runs.filter((run) => run.subject === subject);
  return own.reduce((sum, { report }) => sum + (report ? report.errors : 1), 0);
}

/** One start: milliseconds until the first success, and memory after five idle seconds. */
export interface ReadyRun {
  readonly subject: string;
  readonly pass: number;
  readonly readyMs: number;
  /** Of the first starts only. */
  readonly idleRssBytes?: number;
}

/** Where and with what the figures came about. */
export interface Machine {
  readonly measuredAt: string;
  readonly command: string;
  /** Of the repository; `+` marks a tree with changes. */
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  /** Version of each subject, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Whether rig and subject were shielded from the machine's other work by priority. */
  readonly priority: 'raised' | 'plain';
}

export interface LoadResults {
  readonly kind: 'load';
  readonly scenario: string;
  readonly machine: Machine;
  /** Subjects that cannot bear this load. */
  readonly leftOut?: readonly string[];
  readonly runs: readonly LoadRun[];
}

export interface ReadyResults {
  readonly kind: 'ready';
  readonly scenario: string;
  readonly machine: Machine;
  readonly runs: readonly ReadyRun[];
}

export type Results = LoadResults | ReadyResults;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median, least and most of at least one value. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** One run a line, so that a new measurement reads well as a diff. */
export function formatResults(results: Results): string {
  const { runs, ...rest } = results;
  const head = JSON.stringify(rest, null, 1).slice(0, -2);
  return `${head},\n "runs": [\n${runs.map((run) => `  ${JSON.stringify(run)}`).join(',\n')}\n ]\n}\n`;
}
