/** `npm run bench`: every scenario through every subject, in alternating order; tables to the terminal, raw results to a folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Arguments, readArguments, USAGE } from './arguments.ts';
import { buildRig, ROOT, tryCommand } from './folders.ts';
import { describeMachine } from './machine.ts';
import { endChildrenOnSignal, stayOffTheSubjectsCore } from './processes.ts';
import { measureStart } from './ready.ts';
import { renderTable } from './render.ts';
import { formatResults, type LoadRun, type Machine, type ReadyRun, type Results } from './results.ts';
import { measure } from './run.ts';
import { READY, SCENARIOS, type Scenario } from './scenarios.ts';
import { leftOutOf, SUBJECT_NAMES, subjectsOf } from './subjects/all.ts';
import type { Subject } from './subjects/subject.ts';
import { cpuPerUnitUs } from './targets.ts';

const log = (line: string): void => console.error(line);

function parse(): Arguments {
  try {
    return readArguments(process.argv.slice(2), SUBJECT_NAMES, join(ROOT, 'docs/performance'));
  } catch (error) {
    log(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function requireMachine(): Promise<void> {
  if (availableParallelism() >= 2 && (await tryCommand(['taskset', '--version']))) return;
  log('Give the measurement a Linux machine with two cores and taskset: subject and rig each need a core of their own');
  process.exit(1);
}

async function prepareSubjects(
  scenario: string,
  names: readonly string[],
): Promise<{ subjects: Subject[]; versions: Record<string, string> }> {
  const subjects: Subject[] = [];
  const versions: Record<string, string> = {};
  for (const subject of subjectsOf(scenario).filter(({ name }) => names.includes(name))) {
    const version = await subject.prepare(log);
    if (version === undefined) continue;
    versions[subject.name] = version;
    subjects.push(subject);
  }
  return { subjects, versions };
}

/** Forwards, backwards, forwards: what drifts on the machine does not favour one end of the list. */
function* rounds(subjects: readonly Subject[], passes: number): Generator<{ subject: Subject; pass: number }> {
  for (let pass = 1; pass <= passes; pass++) {
    for (const subject of pass % 2 === 1 ? subjects : subjects.toReversed()) yield { subject, pass };
  }
}

async function runLoad(
  rig: string,
  scenario: Scenario,
  subjects: readonly Subject[],
  args: Arguments,
): Promise<LoadRun[]> {
  const runs: LoadRun[] = [];
  for (const { subject, pass } of rounds(subjects, args.passes)) {
    const run = await runOnce(rig, scenario, subject, args.seconds);
    runs.push({ subject: subject.name, pass, ...run });
    log(`${scenario.name} pass ${pass} ${subject.name}: ${outcome(run)}`);
  }
  return runs;
}

type Outcome = Pick<LoadRun, 'report' | 'log' | 'failure'>;

/** A run that breaks off is a result too: the others go on, and the table says so. */
async function runOnce(rig: string, scenario: Scenario, subject: Subject, seconds: number): Promise<Outcome> {
  try {
    return await measure(rig, subject, { name: scenario.name, seconds, ...scenario.plan });
  } catch (error) {
    return { failure: String(error) };
  }
}

function outcome({ report, failure }: Outcome): string {
  if (!report) return `BROKE OFF: ${failure}`;
  const cpu = `${cpuPerUnitUs(report).toFixed(1)} µs of processor`;
  const faults = report.errors > 0 ? `, INVALID: ${report.errors} errors (${report.errorTexts?.join('; ')})` : '';
  return `p99 delay ${(report.delayUs.p99 / 1000).toFixed(2)} ms, ${cpu}${faults}`;
}

async function runStarts(subjects: readonly Subject[], args: Arguments): Promise<ReadyRun[]> {
  const runs: ReadyRun[] = [];
  for (const { subject, pass } of rounds(subjects, args.starts)) {
    const run = await measureStart(subject, pass);
    if (run) runs.push(run);
  }
  return runs;
}

async function runScenario(
  name: string,
  rig: string,
  subjects: readonly Subject[],
  args: Arguments,
  machine: Machine,
): Promise<Results> {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (name === READY || !scenario) {
    return { kind: 'ready', scenario: READY, machine, runs: await runStarts(subjects, args) };
  }
  const leftOut = leftOutOf(name);
  const runs = await runLoad(rig, scenario, subjects, args);
  return { kind: 'load', scenario: name, machine, ...(leftOut.length > 0 && { leftOut }), runs };
}

const args = parse();
endChildrenOnSignal();
await requireMachine();
const rig = await buildRig();
await stayOffTheSubjectsCore();
const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
for (const name of args.scenarios) {
  const { subjects, versions } = await prepareSubjects(name, args.subjects);
  if (subjects.length === 0) continue;
  const results = await runScenario(name, rig, subjects, args, await describeMachine(command, versions));
  console.log(`\n${renderTable(results)}\n`);
  if (args.out === undefined) continue;
  await mkdir(args.out, { recursive: true });
  await writeFile(join(args.out, `${name}.json`), formatResults(results));
}
if (args.out !== undefined)
  log(`Raw results are in ${args.out}; "node test/bench/tables.ts" puts them into docs/performance.md`);
