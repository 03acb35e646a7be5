/** One run: subject up, load through it, subject down. Every run has a fresh process and a fresh folder. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { countsBetween, type LogCounts, type Reading } from './log-counts.ts';
import { accepts, answerOf, answers } from './probe.ts';
import { freePort, type Running, startRig, startSubject } from './processes.ts';
import type { Measured, Report } from './results.ts';
import type { Plan } from './scenarios.ts';
import type { Command, Place, Subject } from './subjects/subject.ts';

/** Programs of Python take tens of seconds on a busy machine. */
const START_LIMIT_MS = 120_000;
const PROBE_EVERY_MS = 1;
/** As often as Prometheus is told to by default would be once in a run; more often shows what a scrape costs. */
const SCRAPE_EVERY_MS = 5000;

export interface Started {
  readonly running: Running;
  /** From the spawn to the first success. */
  readonly readyMs: number;
}

/** Gives `use` a place of its own, removed afterwards. */
export async function inPlace<T>(use: (place: Place) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // Ctrl-C leaves nothing behind either.
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    const listenPort = await freePort();
    const metricsPort = await freePort();
    const upstreamPort = await freePort();
    return await use({ folder, listenPort, metricsPort, upstreamPort });
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** Starts a subject and waits until it serves. */
export async function bringUp(command: Command, place: Place): Promise<Started> {
  const startedAt = performance.now();
  const running = startSubject(command.argv, command.env);
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  const succeeds = () =>
    command.readyPath ? answers(place.metricsPort, command.readyPath) : accepts(place.listenPort);
  while (!(await succeeds())) {
    if (ended || performance.now() - startedAt > START_LIMIT_MS) {
      await running.stop();
      throw new Error(`"${command.argv.join(' ')}" did not come up: ${running.errorText()}`);
    }
    await setTimeout(PROBE_EVERY_MS);
  }
  return { running, readyMs: performance.now() - startedAt };
}

/** Runs one scenario through one subject. */
export function measure(rig: string, subject: Subject, scenario: Plan): Promise<Measured> {
  const plan = { ...scenario, ...subject.plan };
  return inPlace(async (place) => {
    const command = await subject.command?.(place);
    const { upstreamPort, listenPort } = place;
    if (!command) return { report: await drive({ rig, upstreamPort, targetPort: upstreamPort, pid: 0, plan }) };
    try {
      const { running } = await bringUp(command, place);
      const watched = command.readyPath === undefined ? undefined : place.metricsPort;
      try {
        const run = { rig, upstreamPort, targetPort: listenPort, pid: running.pid, plan };
        return await driveWatched(run, watched, subject.countsLog === true);
      } catch (cause) {
        const words = running.errorText() || 'none';
        throw new Error(`The run of ${subject.name} failed; its last words: ${words}`, { cause });
      } finally {
        await running.stop();
      }
    } finally {
      await command.close?.();
    }
  });
}

interface Run {
  readonly rig: string;
  readonly upstreamPort: number;
  readonly targetPort: number;
  /** Of the subject; 0: none. */
  readonly pid: number;
  readonly plan: Plan;
}

/** Reads the subject's metrics meanwhile, as Prometheus would. */
async function driveWatched(run: Run, metricsPort: number | undefined, countsLog: boolean): Promise<Measured> {
  if (metricsPort === undefined) return { report: await drive(run) };
  const done = new AbortController();
  const scraping = setInterval(() => void answers(metricsPort, '/metrics'), SCRAPE_EVERY_MS);
  try {
    const log = countsLog ? countLog(metricsPort, run.plan, done.signal) : undefined;
    log?.catch(() => {});
    const report = await drive(run);
    return { report, ...(log && { log: await log }) };
  } finally {
    clearInterval(scraping);
    done.abort();
  }
}

/** Reads the log's counts at both ends of the measured window, which the rig opens after its warm-up. */
async function countLog(metricsPort: number, { warmSeconds, seconds }: Plan, signal: AbortSignal): Promise<LogCounts> {
  await setTimeout(warmSeconds * 1000, undefined, { signal });
  const before = await readMetrics(metricsPort);
  await setTimeout(seconds * 1000, undefined, { signal });
  return countsBetween(before, await readMetrics(metricsPort));
}

async function readMetrics(port: number): Promise<Reading> {
  const text = await answerOf(port, '/metrics');
  return { atMs: performance.now(), text };
}

async function drive({ rig, upstreamPort, targetPort, pid, plan }: Run): Promise<Report> {
  const argv = [rig, '-upstream', `127.0.0.1:${upstreamPort}`, '-target', `127.0.0.1:${targetPort}`];
  const running = startRig([...argv, '-pid', String(pid), '-plan', JSON.stringify(plan)]);
  return JSON.parse(await running.output) as Report;
}
