/** What Sluice must reach, in one place: the tables and docs/performance.md show each beside its figure, missed or not. */
import type { LoadResults, ReadyResults, ReadyRun, Report } from './results.ts';
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
  /** Absent: sluice. */
  readonly subject?: string;
  /** Absent: the subject's own value is the ratio. */
  readonly against?: string;
  readonly limit: number;
  readonly what: string;
  readonly of: (report: Report) => number;
}

const MIB = 1024 * 1024;
const READY_MS = 150;
const IDLE_MIB = 80;

const cpu = { what: 'processor time per event', of: cpuPerUnitUs } as const;
const delay = { what: 'p99 delay per event', of: (report: Report) => report.delayUs.p99 } as const;
const growth = {
  what: "memory at the window's end over that at its start",
  of: ({ subject }: Report) => (subject.rssEndBytes ?? Number.NaN) / subject.rssStartBytes,
} as const;
const LOAD_TARGETS: readonly LoadTarget[] = [
  { scenario: 'paced-100', against: 'undici-relay', limit: 1.3, ...cpu },
  { scenario: 'paced-100', against: 'undici-relay', limit: 1.3, ...delay },
  { scenario: 'paced-500', against: 'envoy', limit: 0.9, ...cpu },
  { scenario: 'translate', subject: 'sluice-translating', against: 'sluice', limit: 1.5, ...cpu },
  { scenario: 'translate', subject: 'sluice-translating', against: 'sluice', limit: 1.5, ...delay },
  { scenario: 'translate-10', subject: 'sluice-translating', against: 'sluice', limit: 1.5, ...cpu },
  { scenario: 'translate-10', subject: 'sluice-translating', against: 'sluice', limit: 1.5, ...delay },
  { scenario: 'translate-long', subject: 'sluice-translating', limit: 1.1, ...growth },
  { scenario: 'log', subject: 'sluice-logging', against: 'sluice-unlogged', limit: 1.1, ...cpu },
  { scenario: 'log', subject: 'sluice-logging', against: 'sluice-unlogged', limit: 1.1, ...delay },
  { scenario: 'log', subject: 'sluice-one-hangs', against: 'sluice-unlogged', limit: 1.1, ...cpu },
  { scenario: 'log', subject: 'sluice-one-hangs', against: 'sluice-unlogged', limit: 1.1, ...delay },
];

/** Processor time of the subject for one event (of a stream) or one answer, in microseconds. */
export function cpuPerUnitUs(report: Report): number {
  const unit = SCENARIOS.find(({ name }) => name === report.plan.name)?.unit ?? 'event';
  const count = unit === 'event' ? report.events : report.answers;
  return ((report.subject.userSeconds + report.subject.systemSeconds) * 1e6) / count;
}

/** Targets of a load scenario: the subject's median over the other's. */
export function loadTargets({ scenario, runs }: LoadResults): Target[] {
  return LOAD_TARGETS.filter((target) => target.scenario === scenario).map((target) => {
    const { subject = 'sluice', against, limit, what, of } = target;
    const median = (name: string): number => {
      const own = reportsOf(runs, name);
      if (own.length === 0 || errorsOf(runs, name) > 0) return Number.NaN;
      return spread(own.map(of)).median;
    };
    const value = median(subject) / (against === undefined ? 1 : median(against));
    return { text: textOf(what, subject, against), limit, value, unit: '×' };
  });
}

function textOf(what: string, subject: string, against: string | undefined): string {
  const whose = subject === 'sluice' ? what : `${subject}: ${what}`;
  return against === undefined ? whose : `${whose}, against ${against}`;
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
