/** How long a start takes, and what the process holds when nobody talks to it. */
import { readFile } from 'node:fs/promises';
import type { ReadyRun } from './results.ts';
import { bringUp, inPlace } from './run.ts';
import type { Subject } from './subjects/subject.ts';

const IDLE_MS = 5000;
/** Memory takes five seconds a start, and hardly differs between them. */
const IDLE_STARTS = 3;

/** @returns undefined for `direct`, which has no process */
export async function measureStart(subject: Subject, pass: number): Promise<ReadyRun | undefined> {
  return inPlace(async (place) => {
    const command = await subject.command?.(place);
    if (!command) return undefined;
    const { running, readyMs } = await bringUp(command, place);
    try {
      if (pass > IDLE_STARTS) return { subject: subject.name, pass, readyMs };
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      return { subject: subject.name, pass, readyMs, idleRssBytes: await residentBytes(running.pid) };
    } finally {
      await running.stop();
    }
  });
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s*([0-9]+) kB/m.exec(status)?.[1]) * 1024;
}
