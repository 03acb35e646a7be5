// The door to the test cluster: up, down, status. Tests and the command line use nothing else.
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isApiReady, isNodeReady } from './api.ts';
import { boot, importImage, killContainer } from './boot.ts';
import { type BuiltPieces, buildPieces } from './build.ts';
import { exists } from './files.ts';
import { inNetns } from './network.ts';
import { installPackages } from './packages.ts';
import { isAlive, residentBytes } from './processes.ts';
import { type RunState, readState, withLock } from './run-state.ts';
import { addresses, childEnvironment, clusterName, paths, userKubeconfig } from './settings.ts';
import { leftovers, tearDown } from './teardown.ts';
import { requireUsableMachine } from './unavailable.ts';

export { ClusterUnavailable } from './unavailable.ts';

/** A cluster that is up. */
export interface Cluster {
  /** Path of the admin's kubeconfig. */
  kubeconfig: string;
  /** Absolute paths of the programs. */
  kubectl: string;
  helm: string;
  /** Undefined when the cluster is the user's own and no `helm3` is on PATH. */
  helm3: string | undefined;
  /** True when we booted it, false when it is the user's own by SLUICE_KUBECONFIG. */
  own: boolean;
  /** Name of the network namespace; undefined unless own. */
  netns: string | undefined;
  /** Makes the image of a tar known to the node; own cluster only. */
  loadImage(tarPath: string): Promise<void>;
  /** Ends the first process of a running container by SIGKILL, as if it had crashed; own cluster only. */
  killContainer(containerId: string): Promise<void>;
  /** Prefixes a command so that it runs in the cluster's network namespace; the same command unless own. */
  inNetwork(argv: string[]): string[];
  /** Address at which pods reach a process that was started by inNetwork(); a loopback address unless own. */
  hostAddress: string;
  /** Address of this machine as pods see it, where a server of the test itself may listen; undefined unless own. */
  outerAddress: string | undefined;
}

export interface ClusterUpOptions {
  /** Receives one line per step; silent when absent. */
  log?: (line: string) => void;
}

export interface ClusterStatus {
  state: 'up' | 'down' | 'broken' | 'foreign';
  processes: { name: string; pid: number; alive: boolean; residentBytes: number }[];
  /** What is on the machine although the cluster is not up; `down` or `up` removes it. */
  leftovers: string[];
}

/**
 * Gives a cluster that is ready: the user's own, the one that runs, or a new one. Builds what the cache lacks.
 * Throws ClusterUnavailable when this machine cannot carry one.
 */
export async function clusterUp({ log = () => undefined }: ClusterUpOptions = {}): Promise<Cluster> {
  if (userKubeconfig !== undefined) return foreignCluster(userKubeconfig, log);
  await requireUsableMachine();
  return withLock(log, async () => {
    await installPackages(log);
    const built = await buildPieces(log);
    if (await isHealthy(await readState(), built)) return ownCluster(built);
    if ((await leftovers()).length > 0) log('removing what an earlier run left');
    await tearDown();
    const startMs = Date.now();
    await boot(built, log);
    log(`cluster is up (${((Date.now() - startMs) / 1000).toFixed(1)} s)`);
    return ownCluster(built);
  });
}

/** Gives the cluster that runs at this moment, or the user's own; undefined when there is none. Changes nothing. */
export async function clusterAttach({ log = () => undefined }: ClusterUpOptions = {}): Promise<Cluster | undefined> {
  if (userKubeconfig !== undefined) return foreignCluster(userKubeconfig, log);
  const run = await readState();
  return run !== undefined && (await isHealthy(run, run.built)) ? ownCluster(run.built) : undefined;
}

/** Stops our cluster and removes everything of it but the cache; leaves a user's own cluster alone. */
export async function clusterDown({ log = () => undefined }: ClusterUpOptions = {}): Promise<void> {
  if (userKubeconfig !== undefined) {
    log(`nothing to stop: SLUICE_KUBECONFIG names a cluster of your own, "${userKubeconfig}"`);
    return;
  }
  await requireUsableMachine();
  await withLock(log, tearDown);
}

/** Tells what is there without changing anything. */
export async function clusterStatus(): Promise<ClusterStatus> {
  if (userKubeconfig !== undefined) return { state: 'foreign', processes: [], leftovers: [] };
  await requireUsableMachine();
  const run = await readState();
  const processes = await Promise.all(
    (run?.processes ?? []).map(async (record) => ({
      name: record.name,
      pid: record.pid,
      alive: await isAlive(record),
      residentBytes: await residentBytes(record.pid),
    })),
  );
  if (run !== undefined && (await isHealthy(run, run.built))) return { state: 'up', processes, leftovers: [] };
  const left = await leftovers();
  return { state: left.length === 0 ? 'down' : 'broken', processes, leftovers: left };
}

/** A cluster of other sources than today's counts as unhealthy, so that a changed pin takes effect. */
async function isHealthy(run: RunState | undefined, built: BuiltPieces): Promise<boolean> {
  if (run?.readyAt === undefined) return false;
  if (Object.entries(built).some(([name, folder]) => run.built[name as keyof BuiltPieces] !== folder)) return false;
  return answersInTime(run);
}

const patienceMs = 30_000;

/** On a busy machine a healthy cluster may answer late; to boot it anew then would pull it from under a test. */
async function answersInTime(run: RunState): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    if ((await Promise.all(run.processes.map(isAlive))).includes(false)) return false;
    if ((await isApiReady()) && (await isNodeReady())) return true;
    await sleep(500);
  }
  return false;
}

function ownCluster(built: BuiltPieces): Cluster {
  return {
    kubeconfig: paths.adminKubeconfig,
    kubectl: join(paths.bin, 'kubectl'),
    helm: join(paths.bin, 'helm'),
    helm3: join(paths.bin, 'helm3'),
    own: true,
    netns: clusterName,
    loadImage: (tarPath) => importImage(built, tarPath),
    killContainer: (containerId) => killContainer(built, containerId),
    inNetwork: inNetns,
    hostAddress: addresses.node,
    outerAddress: addresses.outer,
  };
}

async function foreignCluster(kubeconfig: string, log: (line: string) => void): Promise<Cluster> {
  await readFile(kubeconfig).catch((cause: unknown) => {
    throw new Error(`Cannot read SLUICE_KUBECONFIG "${kubeconfig}": name an existing file or unset it`, { cause });
  });
  const onPath = { kubectl: await findOnPath('kubectl'), helm: await findOnPath('helm') };
  const kubectl = onPath.kubectl ?? join((await buildPieces(log, ['node'])).node, 'kubectl');
  const helm = onPath.helm ?? join((await buildPieces(log, ['helm'])).helm, 'helm');
  return {
    kubeconfig,
    kubectl,
    helm,
    helm3: await findOnPath('helm3'),
    own: false,
    netns: undefined,
    loadImage: (tarPath) =>
      Promise.reject(
        new Error(
          `Cannot load "${tarPath}" into a cluster that is not ours: push the image to a registry and set SLUICE_IMAGE`,
        ),
      ),
    killContainer: (containerId) =>
      Promise.reject(
        new Error(`Cannot kill container "${containerId}" of a cluster that is not ours: test on our own`),
      ),
    inNetwork: (argv) => argv,
    hostAddress: '127.0.0.1',
    outerAddress: undefined,
  };
}

async function findOnPath(program: string): Promise<string | undefined> {
  for (const folder of (childEnvironment['PATH'] ?? '').split(delimiter)) {
    if (await exists(join(folder, program))) return join(folder, program);
  }
  return undefined;
}
