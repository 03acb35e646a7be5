// Takes everything of a run off the machine, in whatever state it is: whole, half booted, killed, or left by
// a machine that was switched off. The cache of builds stays.
import { readFile } from 'node:fs/promises';
import { killOwnProcesses, ownCgroups, ownPids, removeCgroups } from './cgroups.ts';
import { exists } from './files.ts';
import { hostTraces, removeHostTraces } from './host-traces.ts';
import { networkLeftovers, removeNetwork } from './network.ts';
import { isAlive } from './processes.ts';
import { runCommand } from './run-command.ts';
import { removeRunFolder, requireOwnRunFolder } from './run-folder.ts';
import { readState } from './run-state.ts';
import { runFolder } from './settings.ts';

/** Stops and removes the run. Nothing of it is kept, hence SIGKILL: there is no data to save. */
export async function tearDown(): Promise<void> {
  await requireOwnRunFolder();
  for (const record of (await readState())?.processes ?? []) {
    if (await isAlive(record)) process.kill(record.pid, 'SIGKILL');
  }
  // Shims, containers and whatever was started before its pid was written down.
  await killOwnProcesses();
  await unmountRunFolder();
  await removeNetwork();
  await removeCgroups();
  await removeHostTraces();
  await removeRunFolder();
}

/** Mount points below the run folder, deepest first. */
async function mountsBelowRunFolder(): Promise<string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8');
  const points = text.split('\n').map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '));
  return points.filter((point) => point.startsWith(`${runFolder}/`)).reverse();
}

/** A mount that is left would make the removal of the folder delete what is mounted there. */
async function unmountRunFolder(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const points = await mountsBelowRunFolder();
    if (points.length === 0) return;
    for (let start = 0; start < points.length; start += 100) {
      await runCommand(['umount', '--lazy', ...points.slice(start, start + 100)]);
    }
  }
  throw new Error(`Cannot unmount everything below "${runFolder}": ${(await mountsBelowRunFolder()).join(', ')}`);
}

/** What of a run is still on the machine, in words; empty after tearDown(). */
export async function leftovers(): Promise<string[]> {
  return [
    ...(await ownPids()).map((pid) => `process ${pid}`),
    ...(await mountsBelowRunFolder()).map((point) => `mount ${point}`),
    ...(await ownCgroups()).map((folder) => `cgroup ${folder}`),
    ...(await networkLeftovers()),
    ...(await hostTraces()).map((path) => `file ${path}`),
    ...((await exists(runFolder)) ? [`folder ${runFolder}`] : []),
  ];
}
