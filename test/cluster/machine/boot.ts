// Boots the cluster from finished builds, in the order of the calls below. What starts later needs what
// started before; what does not is started at once.
import { Resolver } from 'node:dns/promises';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasDefaultAccount, isApiReady, isNodeReady } from './api.ts';
import type { BuiltPieces } from './build.ts';
import { createCgroups } from './cgroups.ts';
import { clusterObjects } from './cluster-objects.ts';
import { writeCredentials } from './credentials.ts';
import { type DaemonName, daemonArgv } from './daemons.ts';
import { writePrivate } from './files.ts';
import { createNetwork, inNetns, requireFreeBlock } from './network.ts';
import { writeNodeConfig } from './node-config.ts';
import { buildImageTar } from './oci-tar.ts';
import { isAlive, lastLines, startDaemon } from './processes.ts';
import { runCommand, tryCommand } from './run-command.ts';
import { claimRunFolder } from './run-folder.ts';
import { type RunState, writeState } from './run-state.ts';
import { addresses, paths, pauseImage, runFolder } from './settings.ts';

/** Boots and returns when pods can be made; the state is written as it grows, so that `down` finds each pid. */
export async function boot(built: BuiltPieces, log: (line: string) => void): Promise<void> {
  const state: RunState = { built, processes: [] };
  await requireFreeBlock();
  await prepareFolders(built);
  await writeState(state);
  await createCgroups();
  await createNetwork();
  await writeCredentials(built);
  await writeNodeConfig(built);

  const start = async (name: DaemonName): Promise<void> => {
    state.processes.push(await startDaemon(name, daemonArgv(name, built)));
    await writeState(state);
  };
  const until = (what: string, check: () => Promise<boolean>): Promise<void> => waitUntil(what, state, log, check);

  await start('etcd');
  await start('containerd');
  // The API server gives up soon when there is no etcd.
  await until('etcd answers', () => answers('http://127.0.0.1:2379/health'));
  await start('kube-apiserver');
  await until('containerd answers', () => containerdAnswers(built));
  await importImage(built, await writePauseImage(built));
  await until('the API server is ready', isApiReady);
  for (const name of ['kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'coredns'] as const) {
    await start(name);
  }
  await applyObjects(built);
  await until('the node is ready', isNodeReady);
  await until('the default ServiceAccount exists', hasDefaultAccount);
  await until('Service names resolve', resolvesServices);
  state.readyAt = new Date().toISOString();
  await writeState(state);
}

async function prepareFolders(built: BuiltPieces): Promise<void> {
  await claimRunFolder();
  for (const folder of [paths.logs, paths.bin, paths.shimSockets, paths.etcd]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  const { node, helm, helm3, containerd, runc } = built;
  const programs = { kubectl: node, helm, helm3, ctr: containerd, runc };
  for (const [name, folder] of Object.entries(programs)) await symlink(join(folder, name), join(paths.bin, name));
}

const bootTimeoutMs = 90_000;

/** Waits for one fact; a daemon that ends meanwhile is the error, with its last words. */
async function waitUntil(
  what: string,
  state: RunState,
  log: (line: string) => void,
  check: () => Promise<boolean>,
): Promise<void> {
  const startMs = Date.now();
  while (!(await check())) {
    for (const record of state.processes) {
      if (!(await isAlive(record))) {
        throw new Error(
          `Cannot boot the cluster: ${record.name} ended, see ${paths.logs}:\n${await lastLines(record.name)}`,
        );
      }
    }
    if (Date.now() - startMs > bootTimeoutMs) {
      const names = state.processes.map((record) => record.name);
      const logs = await Promise.all(names.map(async (name) => `--- ${name}\n${await lastLines(name, 5)}`));
      const waited = `waited ${bootTimeoutMs / 1000} s until ${what}`;
      throw new Error(`Cannot boot the cluster: ${waited}, see ${paths.logs}:\n${logs.join('\n')}`);
    }
    await sleep(100);
  }
  log(`${what} (${((Date.now() - startMs) / 1000).toFixed(1)} s)`);
}

/** etcd listens on the namespace's own loopback, hence a program instead of fetch(). */
async function answers(url: string): Promise<boolean> {
  const { hostname, port, pathname } = new URL(url);
  const script = `exec 3<>/dev/tcp/${hostname}/${port}; printf 'GET ${pathname} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  const result = await tryCommand(inNetns(['bash', '-c', script]), { timeoutMs: 2000 });
  return result.stdout.includes(' 200 OK');
}

function ctr(built: BuiltPieces): string[] {
  return [join(built.containerd, 'ctr'), '--address', paths.containerdSocket, '--namespace', 'k8s.io'];
}

async function containerdAnswers(built: BuiltPieces): Promise<boolean> {
  return (await tryCommand([...ctr(built), 'version'], { timeoutMs: 2000 })).code === 0;
}

/** Makes an image known to kubelet. */
export async function importImage(built: BuiltPieces, tarPath: string): Promise<void> {
  await runCommand([...ctr(built), 'images', 'import', tarPath]);
}

/** Ends a container's first process by SIGKILL; the kubelet has no part in it. */
export async function killContainer(built: BuiltPieces, containerId: string): Promise<void> {
  const tasks = await runCommand([...ctr(built), 'tasks', 'list']);
  const line = tasks.split('\n').find((each) => each.startsWith(containerId));
  const pid = Number(line?.trim().split(/\s+/)[1]);
  if (!(pid > 1)) throw new Error(`Cannot kill container "${containerId}": the runtime knows no process of it`);
  process.kill(pid, 'SIGKILL');
}

async function writePauseImage(built: BuiltPieces): Promise<string> {
  const path = join(runFolder, 'pause.tar');
  const content = await readFile(join(built.pause, 'pause'));
  const options = { name: pauseImage, entrypoint: ['/pause'], user: '65535:65535' };
  await writePrivate(path, buildImageTar([{ path: '/pause', content }], options));
  return path;
}

async function applyObjects(built: BuiltPieces): Promise<void> {
  const input = JSON.stringify(clusterObjects);
  const kubectl = [join(built.node, 'kubectl'), '--kubeconfig', paths.adminKubeconfig];
  await runCommand([...kubectl, 'apply', '--server-side', '--validate=false', '-f', '-'], { input });
}

/** Asks CoreDNS for the API server's own Service. */
async function resolvesServices(): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([addresses.node]);
  const found: string[] = await resolver.resolve4('kubernetes.default.svc.cluster.local').catch(() => []);
  return found.includes(addresses.apiService);
}
