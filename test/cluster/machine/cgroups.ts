// The cgroups that everything of ours is born into: daemons, shims and pods. They are how a process is known
// to be ours when no pid was recorded, hence how all of them are ended.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterName } from './settings.ts';

const mountPoint = '/sys/fs/cgroup';

/** True on a host with cgroup v2 only, where one hierarchy has every controller. */
export function isUnified(): boolean {
  const file = join(mountPoint, 'cgroup.controllers');
  return existsSync(file) && readFileSync(file, 'utf8').includes('memory');
}

/**
 * Our cgroup in the hierarchy that daemons are tracked by. With cgroup v1 that is `pids` alone: in the other
 * hierarchies, memory above all, they stay where the caller's own limits hold.
 */
function trackingRoot(): string {
  return isUnified() ? join(mountPoint, clusterName) : join(mountPoint, 'pids', clusterName);
}

/** File that a daemon writes its pid into to join. */
export function daemonCgroupProcs(): string {
  return join(trackingRoot(), 'daemons', 'cgroup.procs');
}

/** Our cgroup in every hierarchy; kubelet wants its root in all of them. */
async function allRoots(): Promise<string[]> {
  if (isUnified()) return [trackingRoot()];
  const entries = await readdir(mountPoint, { withFileTypes: true });
  // Among them is `unified` on a hybrid host: it has no controllers, but runc makes its cgroups there too.
  const controllers = entries.filter((entry) => entry.isDirectory());
  return controllers.map((entry) => join(mountPoint, entry.name, clusterName));
}

/** Makes the cgroups before anything is started. */
export async function createCgroups(): Promise<void> {
  for (const root of await allRoots()) await mkdir(root, { recursive: true });
  if (isUnified()) await delegateControllers();
  await mkdir(join(trackingRoot(), 'daemons'), { recursive: true });
}

/** With cgroup v2 a controller exists below a cgroup only when that cgroup hands it down. */
async function delegateControllers(): Promise<void> {
  const controllers = (await readFile(join(mountPoint, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const folder of [mountPoint, trackingRoot()]) {
    for (const controller of controllers) {
      // One by one, since a single one that cannot be handed down would fail all; kubelet names what it misses.
      await writeFile(join(folder, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined);
    }
  }
}

/** Paths of our cgroups that exist, parents first. */
export async function ownCgroups(): Promise<string[]> {
  const found: string[] = [];
  for (const root of await allRoots()) {
    if (!existsSync(root)) continue;
    const below = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    found.push(root, ...below.filter((each) => each.isDirectory()).map((each) => join(each.parentPath, each.name)));
  }
  return found;
}

/** Pids of every process that was born into our cgroups and is not yet gone. */
export async function ownPids(): Promise<number[]> {
  const pids = new Set<number>();
  for (const folder of await ownCgroups()) {
    const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const pid of text.split('\n').map(Number)) if (pid > 0 && pid !== process.pid) pids.add(pid);
  }
  return [...pids];
}

/** Ends every process in our cgroups, again and again, since one may be forking while it is killed. */
export async function killOwnProcesses(timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let pids = await ownPids(); pids.length > 0; pids = await ownPids()) {
    if (Date.now() > deadline)
      throw new Error(`Cannot end the processes ${pids.join(', ')}: still there after SIGKILL`);
    for (const pid of pids) killQuietly(pid);
    await sleep(50);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Removes our cgroups, children first; the kernel may call one busy for a moment after its last process. */
export async function removeCgroups(): Promise<void> {
  for (const folder of (await ownCgroups()).reverse()) {
    for (let attempt = 0; existsSync(folder); attempt++) {
      try {
        await rmdir(folder);
      } catch (cause) {
        if (attempt >= 60) throw new Error(`Cannot remove the cgroup "${folder}": something still uses it`, { cause });
        await sleep(50);
      }
    }
  }
}
