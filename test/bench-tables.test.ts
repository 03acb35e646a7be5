/** Holds docs/performance.md to the committed raw results, and the tables to honesty about invalid runs and missed targets. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readArguments } from './bench/arguments.ts';
import { countsBetween } from './bench/log-counts.ts';
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
import { leftOutOf, subjectsOf } from './bench/subjects/all.ts';
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

test('docs/performance.md has a section for every scenario, and no raw result of one that is gone', async () => {
  const known = [...SCENARIOS.map(({ name }) => name), READY].sort();
  assert.deepEqual(sectionNames(readFileSync(DOCUMENT, 'utf8')).sort(), known);
  const measured = [...(await readResults()).keys()];
  assert.ok(measured.length > 0);
  assert.deepEqual(
    measured.filter((name) => !known.includes(name)),
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

test('renderTable() compares two subjects within each pass, not their medians', () => {
  const costs = [
    { relay: 50, sluice: 70 },
    { relay: 100, sluice: 140 },
    { relay: 110, sluice: 66 },
  ];
  const runs = costs.flatMap(({ relay, sluice }, pass) => [
    run('undici-relay', pass, relay),
    run('sluice', pass, sluice),
  ]);
  const table = renderTable(load(runs));
  assert.match(table, /processor time per event, against undici-relay: at most 1\.3×; measured 1\.40×, \*\*missed\*\*/);
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

test('fillSections() says of a section without raw results that it is not measured, and keeps no old figure', () => {
  const filled = fillSections('<!-- bench:one -->\nold\n<!-- /bench -->', new Map());
  assert.match(filled, /Not measured yet: `npm run bench -- one`/);
  assert.doesNotMatch(filled, /old/);
});

test('renderTable() shows a subject that cannot bear the load with dashes', () => {
  const table = renderTable({ ...load([run('sluice', 1, 60)]), leftOut: ['litellm'] });
  assert.match(rowOf(table, 'litellm'), /^\| litellm( \| –){11} \|$/);
});

test('renderTable() holds translation to the pass-through of the same run', () => {
  const results = { ...load([run('sluice', 1, 50), run('sluice-translating', 1, 80)]), scenario: 'translate' };
  const table = renderTable(results);
  assert.match(
    table,
    /sluice-translating: processor time per event, against sluice: at most 1\.5×; measured 1\.60×, \*\*missed\*\*/,
  );
  assert.match(table, /sluice-translating: p99 delay per event, against sluice: at most 1\.5×; measured 1\.00×, met/);
});

test('renderTable() holds memory to a stream that does not end', () => {
  const one = run('sluice-translating', 1, 50);
  assert.ok(one.report);
  const subject = { ...one.report.subject, rssStartBytes: 100, rssEndBytes: 120 };
  const results = { ...load([{ ...one, report: { ...one.report, subject } }]), scenario: 'translate-long' };
  assert.match(
    renderTable(results),
    /memory at the window's end over that at its start: at most 1\.1×; measured 1\.20×, \*\*missed\*\*/,
  );
});

const metrics = (delivered: number, overflow: number, waiting: number): string =>
  [
    '# TYPE sluice_log_records_total counter',
    `sluice_log_records_total{target="store",result="delivered"} ${delivered}`,
    `sluice_log_records_total{target="store",result="dropped_overflow"} ${overflow}`,
    `sluice_log_records_total{target="store",result="dropped_refused"} 1`,
    `sluice_log_spool_records{target="store"} ${waiting}`,
    `sluice_log_spool_bytes{target="store"} ${waiting * 8192}`,
    'sluice_active_streams 5',
  ].join('\n');

test('countsBetween() tells what a target got and lost between two readings, and what waits', () => {
  const counts = countsBetween({ atMs: 1000, text: metrics(10, 0, 4) }, { atMs: 3000, text: metrics(510, 7, 6) });
  assert.deepEqual(counts, {
    seconds: 2,
    targets: [
      {
        target: 'store',
        delivered: 500,
        dropped: 7,
        waitingBefore: 4,
        waitingAfter: 6,
        bytesBefore: 4 * 8192,
        bytesAfter: 6 * 8192,
      },
    ],
  });
});

test('countsBetween() counts a target from nothing that the first reading does not know', () => {
  const counts = countsBetween({ atMs: 0, text: '' }, { atMs: 1000, text: metrics(3, 0, 0) });
  assert.deepEqual([counts.targets[0]?.delivered, counts.targets[0]?.dropped], [3, 1]);
});

test('renderTable() shows records that were neither delivered, dropped nor spooled', () => {
  const one = run('1000/s', 1, 50);
  assert.ok(one.report);
  const log = countsBetween({ atMs: 0, text: metrics(0, 0, 0) }, { atMs: 2000, text: metrics(400, 100, 50) });
  const results = { ...load([{ ...one, report: { ...one.report, answers: 1000 }, log }]), scenario: 'log-postgres' };
  // answers/s, not sent/s, records/s to store, waiting, dropped, not spooled yet
  assert.match(rowOf(renderTable(results), '1000/s'), /^\| 1000\/s \| 500 \| 0 \| 200 \| 50 \| 100 \| 450 \|/);
});

test('subjectsOf() gives every scenario subjects, and gateways only to loads that they can bear', () => {
  for (const name of [...SCENARIOS.map((each) => each.name), READY]) {
    const own = subjectsOf(name).map((each) => each.name);
    assert.ok(own.length > 0, name);
    assert.equal(new Set(own).size, own.length, name);
    assert.deepEqual(
      leftOutOf(name).filter((each) => own.includes(each)),
      [],
      name,
    );
  }
  assert.deepEqual(leftOutOf('firehose'), ['litellm', 'claude-code-router']);
  assert.deepEqual(leftOutOf('translate'), ['litellm']);
  assert.deepEqual(leftOutOf('log'), []);
});

test('readArguments() takes a word for the scenario of that name and those that continue it', () => {
  assert.deepEqual(readArguments(['log'], [], 'docs').scenarios, ['log', 'log-postgres']);
  assert.deepEqual(readArguments(['log-postgres', 'log'], [], 'docs').scenarios, ['log-postgres', 'log']);
  assert.deepEqual(readArguments(['one'], [], 'docs').scenarios, ['one']);
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
