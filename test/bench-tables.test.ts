/** Holds docs/performance.md to the committed raw results, and the tables to honesty about invalid runs and missed targets. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readArguments } from './bench/arguments.ts';
import { renderTable } from './bench/render.ts';
import {
  formatResults,
  type LoadResults,
  type LoadRun,
  type Machine,
  type ReadyResults,
  type Report,
} from './bench/results.ts';
import { READY, SCENARIOS } from './bench/scenarios.ts';
import { DOCUMENT, fillSections, readResults, sectionNames } from './bench/tables.ts';

const machine: Machine = {
  measuredAt: '2026-01-02T03:04:05.000Z',
  command: 'npm run bench --',
  commit: 'abc',
  cpu: 'cpu',
  cores: 2,
  kernel: '6',
  node: 'v26',
  versions: { direct: 'no proxy between' },
  priority: 'raised',
};

/** A run of paced-100 in which the subject spent `cpuUs` an event. */
function run(subject: string, pass: number, cpuUs: number, errors = 0): LoadRun {
  const summary = { count: 1000, p50: 100, p90: 200, p99: 300, p999: 400, max: 500 };
  const report: Report = {
    plan: { name: 'paced-100', shape: 'steady', warmSeconds: 1, seconds: 2 },
    windowSeconds: 2,
    opened: 100,
    answers: 0,
    events: 1000,
    bytes: 141_000,
    errors,
    errorTexts: null,
    firstEventUs: summary,
    delayUs: summary,
    lagUs: summary,
    subject: {
      userSeconds: (cpuUs * 1000) / 1e6,
      systemSeconds: 0,
      rssStartBytes: 0,
      rssMostBytes: 0,
      rssPeakBytes: 64 * 1024 * 1024,
      rssAfterBytes: 0,
      descriptorsInWindow: 0,
      descriptorsAfter: 0,
    },
    rig: { cpuSeconds: 1, foreignSeconds: 1, stealSeconds: 0 },
    pouredBytes: 0,
  };
  return { subject, pass, report };
}

function load(runs: readonly LoadRun[]): LoadResults {
  return { kind: 'load', scenario: 'paced-100', machine, runs };
}

function rowOf(table: string, subject: string): string {
  return table.split('\n').find((line) => line.startsWith(`| ${subject} |`)) ?? '';
}

test('docs/performance.md is what the committed raw results give', async () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  assert.equal(fillSections(document, await readResults()), document, 'run "node test/bench/tables.ts"');
});

test('docs/performance.md shows every committed raw result, and no result of a scenario that is gone', async () => {
  const shown = sectionNames(readFileSync(DOCUMENT, 'utf8')).sort();
  assert.deepEqual(shown, [...(await readResults()).keys()].sort());
  assert.ok(shown.length > 0);
  const known = new Set([...SCENARIOS.map(({ name }) => name), READY]);
  assert.deepEqual(
    shown.filter((name) => !known.has(name)),
    [],
  );
});

test('renderTable() gives medians with least and most', () => {
  const table = renderTable(load([run('sluice', 1, 60), run('sluice', 2, 50), run('sluice', 3, 90)]));
  assert.match(rowOf(table, 'sluice'), / 60\.0 \(50\.0–90\.0\) /);
});

test('renderTable() never averages a run with errors', () => {
  const table = renderTable(load([run('sluice', 1, 60), run('sluice', 2, 50, 3), run('undici-relay', 1, 60)]));
  assert.match(rowOf(table, 'sluice'), /\*\*invalid: 3 errors\*\*/);
  assert.doesNotMatch(rowOf(table, 'sluice'), /60\.0/);
  assert.match(table, /against undici-relay: at most 1\.3×; \*\*not measured\*\*/);
});

test('renderTable() counts a run that broke off as an error', () => {
  const table = renderTable(load([run('sluice', 1, 60), { subject: 'sluice', pass: 2, failure: 'did not come up' }]));
  assert.match(rowOf(table, 'sluice'), /\*\*invalid: 1 errors\*\*/);
});

test('renderTable() keeps a missed target visible beside its figure', () => {
  const runs = [run('undici-relay', 1, 50), run('sluice', 1, 100)];
  const table = renderTable(load(runs));
  assert.match(table, /processor time per event, against undici-relay: at most 1\.3×; measured 2\.00×, \*\*missed\*\*/);
  assert.match(table, /p99 delay per event, against undici-relay: at most 1\.3×; measured 1\.00×, met/);
});

test('renderTable() judges starts by the bundle, which is what pods run', () => {
  const start = (subject: string, readyMs: number) => ({ subject, pass: 1, readyMs, idleRssBytes: 70 * 1024 * 1024 });
  const results: ReadyResults = {
    kind: 'ready',
    scenario: READY,
    machine,
    runs: [start('sluice', 400), start('sluice-bundle', 120)],
  };
  assert.match(renderTable(results), /start until ready: at most 150 ms; measured 120 ms, met/);
});

test('fillSections() refuses a section without raw results', () => {
  assert.throws(() => fillSections('<!-- bench:one -->\nold\n<!-- /bench -->', new Map()), /npm run bench -- one/);
});

test('formatResults() loses nothing and gives each run its line', () => {
  const results = load([run('sluice', 1, 60), run('sluice', 2, 50)]);
  const text = formatResults(results);
  assert.deepEqual(JSON.parse(text), results);
  assert.equal(text.split('\n').filter((line) => line.includes('"pass"')).length, 2);
});

test('readArguments() writes a part of the measurement nowhere unless told where', () => {
  const known = ['direct', 'sluice'];
  assert.equal(readArguments([], known, 'docs').out, 'docs');
  assert.equal(readArguments(['one', '--subjects', 'sluice'], known, 'docs').out, undefined);
  assert.equal(readArguments(['one', '--subjects', 'sluice', '--out', 'x'], known, 'docs').out, 'x');
  assert.throws(() => readArguments(['two'], known, 'docs'), /Cannot find the scenario "two"/);
  assert.throws(() => readArguments(['--passes', '0'], known, 'docs'), /--passes/);
});
