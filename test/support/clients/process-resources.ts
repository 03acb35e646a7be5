/** What a process holds, read from /proc: descriptors, sockets, resident memory. Linux only. */
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';

/** Why resources cannot be read here; undefined when they can. For a test's `skip`. */
export const withoutProc: string | false = existsSync('/proc/self/fd') ? false : 'needs /proc';

export interface Resources {
  readonly descriptors: number;
  readonly sockets: number;
  readonly residentKib: number;
}

export async function resourcesOf(pid: number): Promise<Resources> {
  const names = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  const open = targets.filter((target) => target !== '');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: open.length,
    sockets: open.filter((target) => target.startsWith('socket:')).length,
    residentKib: Number(/^VmRSS:\s+([0-9]+)/m.exec(status)?.[1] ?? 0),
  };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
