/** What Sluice must reach, in one place: the tables and docs/performance.md show each beside its figure, missed or not. */
import type { LoadResults, LoadRun, ReadyResults, ReadyRun, Report } from './results.ts';
import { errorsOf, reportsOf, spread } from './results.ts';
import { SCENARIOS } from './scenarios.ts';

export interface Target {
  readonly text: string;
  readonly limit: number;
  /** NaN when there is nothing to compare with, or a run was invalid. */
  readonly value: number;
  readonly unit: string;
}

interface LoadTarget {
  readonly scenario: string;
  /** Absent: ours as pods run it, or from its sources where it was not measured as that. */
  readonly subject?: string;
  /** What it is held against. Absent: its own value stands for itself. */
  readonly against?: string;
  /** How the two are compared; absent: one divided by the other. */
  readonly as?: 'ratio' | 'difference';
  readonly limit: number;
  readonly unit: string;
  readonly what: string;
  readonly of: (report: Report) => number;
}

const MIB = 1024 * 1024;
const READY_MS = 150;
const IDLE_MIB = 80;

const cpu = { what: 'processor time per event', unit: '×', of: cpuPerUnitUs } as const;
const delay = { what: 'p99 delay per event', unit: '×', of: (report: Report) => report.delayUs.p99 } as const;
const growth = {
  what: "memory at the window's end over that at its start",
  unit: '×',
  of: ({ subject }: Report) => (subject.rssEndBytes ?? Number.NaN) / subject.rssStartBytes,
} as const;
const addedWait = {
  what: 'time added before the first event, p50',
  as: 'difference',
  against: 'direct',
  unit: ' ms',
  of: (report: Report) => report.firstEventUs.p50 / 1000,
} as const;
const peak = { what: 'memory peak', unit: ' MiB', of: ({ subject }: Report) => subject.rssPeakBytes / MIB } as const;
const stalledGrowth = {
  what: 'memory that a stalled client costs',
  unit: ' MiB',
  of: ({ subject }: Report) => (subject.rssMostBytes - subject.rssStartBytes) / MIB,
} as const;
const translating = { subject: 'sluice-translating', against: 'sluice', limit: 1.5 } as const;
const logging = { against: 'sluice-unlogged', limit: 1.1 } as const;
const LOAD_TARGETS: readonly LoadTarget[] = [
  { scenario: 'paced-100', against: 'undici-relay', limit: 1.3, ...cpu },
  { scenario: 'paced-100', against: 'undici-relay', limit: 1.3, ...delay },
  { scenario: 'paced-100', against: 'envoy', limit: 1, ...delay },
  { scenario: 'paced-500', against: 'envoy', limit: 0.9, ...cpu },
  { scenario: 'paced-500', against: 'envoy', limit: 1, ...delay },
  { scenario: 'paced-500', limit: 160, ...peak },
  { scenario: 'short', limit: 0.5, ...addedWait },
  { scenario: 'stalled', limit: 20, ...stalledGrowth },
  { scenario: 'translate', ...translating, ...cpu },
  { scenario: 'translate', ...translating, ...delay },
  { scenario: 'translate-10', ...translating, ...cpu },
  { scenario: 'translate-10', ...translating, ...delay },
  { scenario: 'translate-long', subject: 'sluice-translating', limit: 1.1, ...growth },
  { scenario: 'log', subject: 'sluice-logging', ...logging, ...cpu },
  { scenario: 'log', subject: 'sluice-logging', ...logging, ...delay },
  { scenario: 'log', subject: 'sluice-one-hangs', ...logging, ...cpu },
  { scenario: 'log', subject: 'sluice-one-hangs', ...logging, ...delay },
];

/** Processor time of the subject for one event (of a stream) or one answer, in microseconds. */
export function cpuPerUnitUs(report: Report): number {
  const unit = SCENARIOS.find(({ name }) => name === report.plan.name)?.unit ?? 'event';
  const count = unit === 'event' ? report.events : report.answers;
  return ((report.subject.userSeconds + report.subject.systemSeconds) * 1e6) / count;
}

/**
 * Targets of a load scenario: the median over the passes. Two subjects are compared within each pass, where they ran one after the
 * other: between passes the machine may have become another.
 */
export function loadTargets({ scenario, runs }: LoadResults): Target[] {
  return LOAD_TARGETS.filter((target) => target.scenario === scenario).map((target) => {
    const { against, as = 'ratio', limit, unit, what, of } = target;
    const subject = target.subject ?? OURS.find((name) => reportsOf(runs, name).length > 0) ?? 'sluice';
    const own = byPass(runs, subject, of);
    const other = against === undefined ? undefined : byPass(runs, against, of);
    const values = [...own].map(([pass, value]) => {
      const beside = other?.get(pass) ?? Number.NaN;
      if (other === undefined) return value;
      return as === 'ratio' ? value / beside : value - beside;
    });
    const known = values.filter((value) => !Number.isNaN(value));
    return { text: textOf(what, subject, against), limit, value: spread(known).median, unit };
  });
}

/** Of a subject's passes its values; none when one of them was invalid. */
function byPass(runs: readonly LoadRun[], subject: string, of: LoadTarget['of']): ReadonlyMap<number, number> {
  if (errorsOf(runs, subject) > 0) return new Map();
  const own = runs.filter((run) => run.subject === subject);
  return new Map(own.flatMap(({ pass, report }) => (report ? [[pass, of(report)] as const] : [])));
}

const OURS = ['sluice-bundle', 'sluice'];

function textOf(what: string, subject: string, against: string | undefined): string {
  return `${subject}: ${what}${against === undefined ? '' : `, against ${against}`}`;
}

/** Targets of starts: those of the bundle, which is what pods run; of the sources where there is none. */
export function readyTargets({ runs }: ReadyResults): Target[] {
  const bundled = runs.filter(({ subject }) => subject === 'sluice-bundle');
  const own = bundled.length > 0 ? bundled : runs.filter(({ subject }) => subject === 'sluice');
  const idle = own.map(({ idleRssBytes }: ReadyRun) => idleRssBytes).filter((bytes) => bytes !== undefined);
  return [
    {
      text: 'start until ready',
      limit: READY_MS,
      value: spread(own.map(({ readyMs }) => readyMs)).median,
      unit: ' ms',
    },
    { text: 'idle memory', limit: IDLE_MIB, value: spread(idle).median / MIB, unit: ' MiB' },
  ];
}
