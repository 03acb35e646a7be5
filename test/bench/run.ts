/** One run: subject up, load through it, subject down. Every run has a fresh process and a fresh folder. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Running, startRig, startSubject } from './processes.ts';
import type { Report } from './results.ts';
import type { Plan } from './scenarios.ts';
import type { Command, Place, Subject } from './subjects/subject.ts';

const START_LIMIT_MS = 20_000;
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
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
  }
  return { running, readyMs: performance.now() - startedAt };
}

/** Runs one scenario through one subject. */
export function measure(rig: string, subject: Subject, plan: Plan): Promise<Report> {
  return inPlace(async (place) => {
    const command = await subject.command?.(place);
    if (!command) return drive(rig, place.upstreamPort, place.upstreamPort, 0, plan);
    const { running } = await bringUp(command, place);
    const scraping = command.readyPath
      ? setInterval(() => void answers(place.metricsPort, '/metrics'), SCRAPE_EVERY_MS)
      : undefined;
    try {
      return await drive(rig, place.upstreamPort, place.listenPort, running.pid, plan);
    } catch (cause) {
      throw new Error(`The run of ${subject.name} failed; its last words: ${running.errorText() || 'none'}`, { cause });
    } finally {
      clearInterval(scraping);
      await running.stop();
    }
  });
}

async function drive(rig: string, upstreamPort: number, targetPort: number, pid: number, plan: Plan): Promise<Report> {
  const argv = [rig, '-upstream', `127.0.0.1:${upstreamPort}`, '-target', `127.0.0.1:${targetPort}`];
  const running = startRig([...argv, '-pid', String(pid), '-plan', JSON.stringify(plan)]);
  return JSON.parse(await running.output) as Report;
}

/** @returns whether the port takes a connection */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** @returns whether a GET of the path is answered 200; a bare socket, as fetch would cost more than what it measures */
function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`));
    socket.on('data', (part) => {
      text = text.slice(0, 32) + part;
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200')));
  });
}
