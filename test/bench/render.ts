/** Raw results -> Markdown tables. Pure: docs/performance.md is held to this by test/bench-tables.test.ts. */
import {
  errorsOf,
  type LoadResults,
  type LoadRun,
  type ReadyResults,
  type Report,
  type Results,
  reportsOf,
  type Spread,
  spread,
} from './results.ts';
import { SCENARIOS } from './scenarios.ts';
import { cpuPerUnitUs, loadTargets, readyTargets, type Target } from './targets.ts';

const MIB = 1024 * 1024;

interface Column {
  readonly head: string;
  readonly of: (report: Report) => number;
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
/** How late the rig itself was, and how busy the machine otherwise: what bounds every figure beside it. */
const RIG: Column = { head: 'rig late p99, ms', of: (r) => r.lagUs.p99 / 1000, digits: 2 };

function columnsOf(scenario: string): readonly Column[] {
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
    case 'short':
      return [...FIRST, ...DELAY, CPU_ANSWER, ...MEMORY, RIG];
    case 'stalled':
      return [...DELAY, ...STALLED, ...MEMORY, RIG];
    default:
      return [...FIRST, ...DELAY, CPU_EVENT, ...MEMORY, RIG];
  }
}

/** The table of one scenario with its caption and targets. */
export function renderTable(results: Results): string {
  return results.kind === 'load' ? renderLoad(results) : renderReady(results);
}

function renderLoad(results: LoadResults): string {
  const { scenario, runs, machine } = results;
  const columns = columnsOf(scenario);
  const passes = Math.max(0, ...runs.map(({ pass }) => pass));
  const seconds = runs.find(({ report }) => report)?.report?.plan.seconds ?? 0;
  const title = SCENARIOS.find(({ name }) => name === scenario)?.title ?? scenario;
  const busy = spread(runs.flatMap(({ report }) => (report ? [report.rig.foreignSeconds / report.windowSeconds] : [])));
  const lasted = scenario === 'firehose' ? '' : ` of ${seconds} s`;
  return [
    `**${scenario}.** ${title}. Medians of ${passes} passes${lasted} (least–most).`,
    '',
    ...table(['subject', ...columns.map(({ head }) => head)], subjectRows(runs, columns)),
    '',
    ...targetLines(loadTargets(results)),
    `Other work on the machine took ${busy.median.toFixed(1)} of ${machine.cores} cores meanwhile (${busy.min.toFixed(1)}–${busy.max.toFixed(1)}).`,
  ].join('\n');
}

function subjectRows(runs: readonly LoadRun[], columns: readonly Column[]): string[][] {
  return [...new Set(runs.map(({ subject }) => subject))].map((subject) => {
    const reports = reportsOf(runs, subject);
    const errors = errorsOf(runs, subject);
    if (errors > 0) return [subject, `**invalid: ${errors} errors**`, ...columns.slice(1).map(() => '')];
    return [subject, ...columns.map(({ of, digits }) => cell(spread(reports.map(of)), digits))];
  });
}

function renderReady(results: ReadyResults): string {
  const { runs } = results;
  const rows = [...new Set(runs.map(({ subject }) => subject))].map((subject) => {
    const own = runs.filter((run) => run.subject === subject);
    const idle = own.map(({ idleRssBytes }) => idleRssBytes).filter((bytes) => bytes !== undefined);
    const memory = spread(idle.map((bytes) => bytes / MIB));
    return [subject, cell(spread(own.map(({ readyMs }) => readyMs)), 0), cell(memory, 0)];
  });
  const starts = Math.max(0, ...runs.map(({ pass }) => pass));
  return [
    `**ready.** From the start of the process to the first 200 of /readyz (peers: to the first accepted connection). Medians of ${starts} starts (least–most); memory after five idle seconds.`,
    '',
    ...table(['subject', 'ready, ms', 'idle memory, MiB'], rows),
    '',
    ...targetLines(readyTargets(results)),
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)];
}

function cell({ median, min, max }: Spread, digits: number): string {
  if (Number.isNaN(median)) return '';
  const text = median.toFixed(digits);
  const [low, high] = [min.toFixed(digits), max.toFixed(digits)];
  return low === high ? text : `${text} (${low}–${high})`;
}

function targetLines(targets: readonly Target[]): string[] {
  if (targets.length === 0) return [];
  const lines = targets.map(({ text, limit, value, unit }) => {
    const digits = unit === '×' ? 2 : 0;
    if (Number.isNaN(value)) return `- ${text}: at most ${limit}${unit}; **not measured**`;
    const verdict = value <= limit ? 'met' : '**missed**';
    return `- ${text}: at most ${limit}${unit}; measured ${value.toFixed(digits)}${unit}, ${verdict}`;
  });
  return ['Targets of sluice:', '', ...lines, ''];
}
