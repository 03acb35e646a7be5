/** What each scenario's table shows of a run, column by column. */
import { type LogCounts, RECEIVER, STORE } from './log-counts.ts';
import type { Report } from './results.ts';
import { cpuPerUnitUs } from './targets.ts';

const MIB = 1024 * 1024;

export interface Column {
  readonly head: string;
  readonly of: (report: Report, log?: LogCounts) => number;
  readonly digits: number;
}

const FIRST: readonly Column[] = [
  { head: 'first event p50, ms', of: (r) => r.firstEventUs.p50 / 1000, digits: 2 },
  { head: 'p99', of: (r) => r.firstEventUs.p99 / 1000, digits: 2 },
];
const DELAY: readonly Column[] = [
  { head: 'event delay p50, ms', of: (r) => r.delayUs.p50 / 1000, digits: 3 },
  { head: 'p99', of: (r) => r.delayUs.p99 / 1000, digits: 2 },
  { head: 'p99.9', of: (r) => r.delayUs.p999 / 1000, digits: 2 },
];
const CPU_EVENT: Column = { head: 'processor, µs/event', of: cpuPerUnitUs, digits: 1 };
const CPU_ANSWER: Column = { head: 'processor, µs/answer', of: cpuPerUnitUs, digits: 0 };
const MEMORY: readonly Column[] = [
  { head: 'memory peak, MiB', of: (r) => r.subject.rssPeakBytes / MIB, digits: 0 },
  { head: 'after', of: (r) => r.subject.rssAfterBytes / MIB, digits: 0 },
  { head: 'descriptors', of: (r) => r.subject.descriptorsInWindow, digits: 0 },
  { head: 'after', of: (r) => r.subject.descriptorsAfter, digits: 0 },
];
const RATE: readonly Column[] = [
  { head: 'MB/s', of: (r) => r.bytes / r.windowSeconds / 1e6, digits: 0 },
  { head: 'events/s', of: (r) => r.events / r.windowSeconds, digits: 0 },
];
const STALLED: readonly Column[] = [
  { head: 'memory grew, MiB', of: (r) => (r.subject.rssMostBytes - r.subject.rssStartBytes) / MIB, digits: 1 },
  { head: 'taken from upstream, MB', of: (r) => r.pouredBytes / 1e6, digits: 1 },
];
const LENGTH: readonly Column[] = [
  { head: 'events in the window', of: (r) => r.events, digits: 0 },
  { head: 'memory at its start, MiB', of: (r) => r.subject.rssStartBytes / MIB, digits: 0 },
  { head: 'at its end', of: (r) => (r.subject.rssEndBytes ?? Number.NaN) / MIB, digits: 0 },
  { head: 'most in it', of: (r) => r.subject.rssMostBytes / MIB, digits: 0 },
];
const OFFERED: readonly Column[] = [
  { head: 'answers/s', of: (r) => r.answers / r.windowSeconds, digits: 0 },
  { head: 'not sent/s', of: (r) => (r.heldBack ?? 0) / r.windowSeconds, digits: 0 },
];

/** What one target of the log got; nothing for subjects without it. */
function logged(target: string): readonly Column[] {
  const of = (name: 'delivered' | 'waitingAfter' | 'dropped') => (_report: Report, log?: LogCounts) =>
    log?.targets.find((each) => each.target === target)?.[name] ?? Number.NaN;
  const delivered = of('delivered');
  return [
    { head: `records/s to ${target}`, of: (r, log) => delivered(r, log) / (log?.seconds ?? 1), digits: 0 },
    { head: 'waiting at the end', of: of('waitingAfter'), digits: 0 },
    { head: 'dropped', of: of('dropped'), digits: 0 },
  ];
}

/** Exchanges that ended in the window and had no record in the spool at its end: they wait in the process's memory. */
function unspooled(target: string): Column {
  return {
    head: 'not spooled yet',
    of: (r, log) => {
      const own = log?.targets.find((each) => each.target === target);
      if (!own) return Number.NaN;
      return Math.max(r.answers - own.delivered - own.dropped - (own.waitingAfter - own.waitingBefore), 0);
    },
    digits: 0,
  };
}

/** What waits in the spool for a target, at both ends of the window. */
function spooled(target: string): readonly Column[] {
  const of = (name: 'bytesBefore' | 'bytesAfter') => (_report: Report, log?: LogCounts) =>
    (log?.targets.find((each) => each.target === target)?.[name] ?? Number.NaN) / MIB;
  return [
    { head: 'spool at the start, MiB', of: of('bytesBefore'), digits: 1 },
    { head: 'at the end', of: of('bytesAfter'), digits: 1 },
  ];
}

/** How late the rig itself was, and how busy the machine otherwise: what bounds every figure beside it. */
const RIG: Column = { head: 'rig late p99, ms', of: (r) => r.lagUs.p99 / 1000, digits: 2 };

/** The columns of a scenario's table. */
export function columnsOf(scenario: string): readonly Column[] {
  switch (scenario) {
    case 'firehose':
      return [...RATE, CPU_EVENT, ...MEMORY];
    case 'json':
      return [
        { head: 'whole answer p50, ms', of: (r) => r.firstEventUs.p50 / 1000, digits: 2 },
        { head: 'p99', of: (r) => r.firstEventUs.p99 / 1000, digits: 2 },
        CPU_ANSWER,
        ...MEMORY,
        RIG,
      ];
    case 'translate-long':
      return [...LENGTH, ...DELAY, CPU_EVENT, RIG];
    case 'log':
      return [...DELAY, CPU_EVENT, ...logged(STORE), ...logged(RECEIVER), ...MEMORY, RIG];
    case 'log-postgres':
      return [...OFFERED, ...logged(STORE), unspooled(STORE), ...spooled(STORE), CPU_ANSWER, ...MEMORY, RIG];
    case 'short':
    case 'short-10':
      return [...FIRST, ...DELAY, CPU_ANSWER, ...MEMORY, RIG];
    case 'stalled':
      return [...DELAY, ...STALLED, ...MEMORY, RIG];
    default:
      return [...FIRST, ...DELAY, CPU_EVENT, ...MEMORY, RIG];
  }
}
