/** Starts the processes of a run, each on its core, and ends every one of them by its id, on Ctrl-C too. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tryCommand } from './folders.ts';

/** The subject has core 0 to itself; rig and upstream share core 1. */
export const SUBJECT_CORE = 0;
export const RIG_CORE = 1;

const STOP_LIMIT_MS = 5000;
const OUTPUT_KEPT = 4000;

/** Only root may put a process before the machine's other work. */
export const mayRaise = process.getuid?.() === 0;

export interface Running {
  readonly pid: number;
  /** The end of what it wrote to stderr. */
  errorText(): string;
  /** Resolves with everything on stdout once it has ended well. */
  readonly output: Promise<string>;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();

function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Ends all children when this process is told to stop. */
export function endChildrenOnSignal(): void {
  process.on('exit', endAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      endAll();
      process.exit(130);
    });
  }
}

/** Starts the subject: on its core, in a session of its own that is weighed before the machine's other work. */
export function startSubject(argv: readonly string[], env: Record<string, string> = {}): Running {
  const pinned = ['taskset', '-c', String(SUBJECT_CORE), ...argv];
  const child = start(mayRaise ? ['nice', '-n', '-20', ...pinned] : pinned, env, true);
  raiseSession(child.pid);
  return child;
}

/** Starts the rig on its core; it has one thread, so real-time priority is safe. */
export function startRig(argv: readonly string[]): Running {
  const pinned = ['taskset', '-c', String(RIG_CORE), ...argv];
  return start(mayRaise ? ['chrt', '-r', '10', ...pinned] : pinned, {}, false);
}

/** Starts what a subject needs beside it, a receiver of records say: on the rig's core, after the rig and before others' work. */
export function startBeside(argv: readonly string[]): Running {
  const child = start(['taskset', '-c', String(RIG_CORE), ...argv], {}, true);
  raiseSession(child.pid);
  return child;
}

/** Puts this process on the rig's core, and with it what it starts from now on and does not place itself. */
export async function stayOffTheSubjectsCore(): Promise<void> {
  await tryCommand(['taskset', '-a', '-c', '-p', String(RIG_CORE), String(process.pid)]);
}

/** As root, weighs the session's group; nice alone counts within a session only, where the kernel groups by session. */
export function raiseSession(pid: number): void {
  if (!mayRaise) return;
  try {
    writeFileSync(`/proc/${pid}/autogroup`, '-20');
  } catch {
    // A kernel without this grouping goes by nice alone.
  }
}

function start(argv: readonly string[], env: Record<string, string>, detached: boolean): Running {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { env: { ...process.env, ...env }, detached, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let text = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-1_000_000);
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors = (errors + part).slice(-OUTPUT_KEPT);
  });
  const code = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      errors += error.message;
      resolve(-1);
    });
    child.on('close', (status) => resolve(status ?? -1));
  }).finally(() => running.delete(child));
  const output = code.then((status) => {
    if (status !== 0) throw new Error(`"${argv.join(' ')}" ended with code ${status}: ${errors}`);
    return text;
  });
  output.catch(() => {});
  return {
    pid: child.pid ?? -1,
    errorText: () => errors,
    output,
    ended: code.then(() => {}),
    stop: () => stop(child, code),
  };
}

async function stop(child: ChildProcess, code: Promise<number>): Promise<void> {
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await code;
  clearTimeout(hard);
}

/** A port of the loopback address that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
