/** Raw results -> Markdown tables. Pure: docs/performance.md is held to this by test/bench-tables.test.ts. */

import { type Column, columnsOf } from './columns.ts';
import {
  errorsOf,
  type LoadResults,
  type LoadRun,
  measuredOf,
  type ReadyResults,
  type Results,
  type Spread,
  spread,
} from './results.ts';
import { SCENARIOS } from './scenarios.ts';
import { loadTargets, readyTargets, type Target } from './targets.ts';

const MIB = 1024 * 1024;

/** The table of one scenario with its caption and targets. */
export function renderTable(results: Results): string {
  return results.kind === 'load' ? renderLoad(results) : renderReady(results);
}

function renderLoad(results: LoadResults): string {
  const { scenario, runs, machine, leftOut = [] } = results;
  const columns = columnsOf(scenario);
  const passes = Math.max(0, ...runs.map(({ pass }) => pass));
  const seconds = runs.find(({ report }) => report)?.report?.plan.seconds ?? 0;
  const title = SCENARIOS.find(({ name }) => name === scenario)?.title ?? scenario;
  const busy = spread(runs.flatMap(({ report }) => (report ? [report.rig.foreignSeconds / report.windowSeconds] : [])));
  const lasted = scenario === 'firehose' ? '' : ` of ${seconds} s`;
  return [
    `**${scenario}.** ${title}. Medians of ${passes} passes${lasted} (least–most).`,
    '',
    ...table(
      [scenario === 'log-postgres' ? 'offered' : 'subject', ...columns.map(({ head }) => head)],
      [...subjectRows(runs, columns), ...leftOut.map((subject) => [subject, ...columns.map(() => '–')])],
    ),
    '',
    ...targetLines(loadTargets(results)),
    `Other work on the machine took ${busy.median.toFixed(1)} of ${machine.cores} cores meanwhile (${busy.min.toFixed(1)}–${busy.max.toFixed(1)}).`,
  ].join('\n');
}

function subjectRows(runs: readonly LoadRun[], columns: readonly Column[]): string[][] {
  return [...new Set(runs.map(({ subject }) => subject))].map((subject) => {
    const measured = measuredOf(runs, subject);
    const errors = errorsOf(runs, subject);
    if (errors > 0) return [subject, `**invalid: ${errors} errors**`, ...columns.slice(1).map(() => '')];
    return [
      subject,
      ...columns.map(({ of, digits }) => cell(spread(measured.map(({ report, log }) => of(report, log))), digits)),
    ];
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
    const digits = limit < 10 ? 2 : 0;
    if (Number.isNaN(value)) return `- ${text}: at most ${limit}${unit}; **not measured**`;
    const verdict = value <= limit ? 'met' : '**missed**';
    return `- ${text}: at most ${limit}${unit}; measured ${value.toFixed(digits)}${unit}, ${verdict}`;
  });
  return ['Targets of sluice:', '', ...lines, ''];
}
