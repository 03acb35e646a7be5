// What a run leaves behind for the next command: the daemons' pids and the binaries that they were started
// from. And the lock that keeps two commands from booting at once.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltPieces } from './build.ts';
import { isAlive, type ProcessRecord, recordOf } from './processes.ts';
import { paths, runFolder } from './settings.ts';

export interface RunState {
  built: BuiltPieces;
  processes: ProcessRecord[];
  /** Set when everything was ready; absent while booting or when the boot failed. */
  readyAt?: string;
}

/** State of the last run; undefined when there is none, or only half a file. */
export async function readState(): Promise<RunState | undefined> {
  try {
    return JSON.parse(await readFile(paths.state, 'utf8')) as RunState;
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step, so that a reader never sees half of it. */
export async function writeState(state: RunState): Promise<void> {
  await mkdir(runFolder, { recursive: true });
  await writeFile(`${paths.state}.new`, JSON.stringify(state, undefined, 2));
  await rename(`${paths.state}.new`, paths.state);
}

/** One for the machine, whatever the run folder is: namespace and cgroup have fixed names. */
const lockPath = '/run/sluice-cluster.lock';

/** Runs `work` while no other process boots or stops the cluster; waits for its turn. */
export async function withLock<T>(log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  await takeLock(log);
  try {
    return await work();
  } finally {
    await rm(lockPath, { force: true });
  }
}

async function takeLock(log: (line: string) => void): Promise<void> {
  const own = await recordOf('lock', process.pid);
  if (own === undefined) throw new Error('Cannot take the lock: /proc is not mounted');
  for (let waited = false; ; waited = true) {
    try {
      await writeFile(lockPath, JSON.stringify(own), { flag: 'wx' });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = await readHolder();
    if (holder === undefined || !(await isAlive(holder))) {
      await rm(lockPath, { force: true });
    } else {
      if (!waited) log(`waiting for process ${holder.pid}, which boots or stops the cluster`);
      await sleep(500);
    }
  }
}

/** Holder of the lock; undefined when the file is empty for longer than it takes to write it. */
async function readHolder(): Promise<ProcessRecord | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return JSON.parse(await readFile(lockPath, 'utf8')) as ProcessRecord;
    } catch {
      await sleep(50);
    }
  }
  return undefined;
}
