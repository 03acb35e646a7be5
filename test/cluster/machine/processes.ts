// Starts daemons that outlive us, and knows them again later: a pid alone may belong to somebody else by
// then, a pid together with its start time cannot.
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { daemonCgroupProcs } from './cgroups.ts';
import { childEnvironment, netnsPath, paths } from './settings.ts';

export interface ProcessRecord {
  name: string;
  pid: number;
  /** Start time from /proc/PID/stat, in clock ticks since boot. */
  startTicks: string;
}

interface ProcessStat {
  state: string;
  startTicks: string;
}

/** State and start time of a pid; undefined when there is no such process. */
async function readStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

/** Describes a running process so that it can be recognised later. */
export async function recordOf(name: string, pid: number): Promise<ProcessRecord | undefined> {
  const stat = await readStat(pid);
  return stat === undefined ? undefined : { name, pid, startTicks: stat.startTicks };
}

/** True while the very process of the record runs; a zombie does not. */
export async function isAlive(record: ProcessRecord): Promise<boolean> {
  const stat = await readStat(record.pid);
  return stat !== undefined && stat.startTicks === record.startTicks && !'ZX'.includes(stat.state);
}

/** Path of a daemon's log. */
export function logPath(name: string): string {
  return join(paths.logs, `${name}.log`);
}

/** Starts a daemon in the cluster's network namespace and cgroup, with its output in a log file. */
export async function startDaemon(name: string, argv: readonly string[]): Promise<ProcessRecord> {
  const log = await open(logPath(name), 'a');
  try {
    // The shell joins the cgroup before it becomes the daemon, so that no child can be born outside.
    const enter = `echo $$ > "$0" && exec nsenter --net=${netnsPath} -- "$@"`;
    const child = spawn('sh', ['-c', enter, daemonCgroupProcs(), ...argv], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      // The shim looks for runc on PATH before it reads its options.
      env: { ...childEnvironment, PATH: `${paths.bin}:${childEnvironment['PATH']}` },
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? -1));
      child.once('error', (cause) => reject(new Error(`Cannot start "${name}": ${cause.message}`, { cause })));
    });
    child.unref();
    const record = await recordOf(name, pid);
    if (record === undefined) throw new Error(`Cannot start "${name}": it ended at once, see ${logPath(name)}`);
    return record;
  } finally {
    await log.close();
  }
}

/** The end of a daemon's log, for an error message. */
export async function lastLines(name: string, count = 15): Promise<string> {
  const text = await readFile(logPath(name), 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Resident memory in bytes, 0 when the process is gone. */
export async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}
