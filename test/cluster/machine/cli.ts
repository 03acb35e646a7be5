// The command line of the test cluster: `node test/cluster/machine/cli.ts COMMAND`, see README.md beside it.
import { dirname } from 'node:path';
import { type Cluster, ClusterUnavailable, clusterAttach, clusterDown, clusterStatus, clusterUp } from './cluster.ts';
import { runInTerminal } from './run-command.ts';

const usage = `Usage: cluster COMMAND
  up               boot it, or leave it alone when it is up
  down             stop it and remove everything but the cache of builds
  status           what runs, with memory; exit code 0 only when it is up
  kubectl ...      run kubectl as admin
  helm ...         run Helm 4 as admin
  helm3 ...        run Helm 3 as admin
  load-image TAR   make an image known to the node
  exec-in CMD...   run a command in the cluster's network namespace
  env              print lines for eval "$(...)"`;

const startMs = Date.now();

/** Progress goes to standard error, so that the output of kubectl and env stays clean. */
function log(line: string): void {
  process.stderr.write(`[${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s] ${line}\n`);
}

/** The cluster that is up; only `up` boots one, since the other commands are expected to answer at once. */
async function running(): Promise<Cluster> {
  const cluster = await clusterAttach({ log });
  if (cluster !== undefined) return cluster;
  throw new Error('Cannot reach the cluster: it is not up; boot it with "npm run cluster -- up"');
}

async function up(): Promise<number> {
  const cluster = await clusterUp({ log });
  log(`ready: KUBECONFIG=${cluster.kubeconfig}`);
  return 0;
}

async function printStatus(): Promise<number> {
  const { state, processes, leftovers } = await clusterStatus();
  process.stdout.write(`${state}\n`);
  for (const each of processes) {
    const memory = `${Math.round(each.residentBytes / 1024 ** 2)} MiB`;
    process.stdout.write(`  ${each.name} ${each.pid} ${each.alive ? memory : 'gone'}\n`);
  }
  for (const each of leftovers) process.stdout.write(`  left: ${each}\n`);
  return state === 'up' || state === 'foreign' ? 0 : 1;
}

async function loadImages(tarPaths: readonly string[]): Promise<number> {
  const cluster = await running();
  for (const path of tarPaths) await cluster.loadImage(path);
  return 0;
}

async function runProgram(name: 'kubectl' | 'helm' | 'helm3', rest: readonly string[]): Promise<number> {
  const cluster = await running();
  const program = cluster[name];
  if (program === undefined) throw new Error(`Cannot find "${name}" on PATH: install it`);
  return runInTerminal([program, ...rest], { KUBECONFIG: cluster.kubeconfig });
}

async function printEnvironment(): Promise<number> {
  const cluster = await running();
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  process.stdout.write(`export KUBECONFIG=${quote(cluster.kubeconfig)}\n`);
  process.stdout.write(`export PATH=${quote(dirname(cluster.kubectl))}:"$PATH"\n`);
  return 0;
}

async function main([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'up':
      return up();
    case 'down':
      await clusterDown({ log });
      return 0;
    case 'status':
      return printStatus();
    case 'kubectl':
    case 'helm':
    case 'helm3':
      return runProgram(command, rest);
    case 'load-image':
      return loadImages(rest);
    case 'exec-in':
      return runInTerminal((await running()).inNetwork([...rest]));
    case 'env':
      return printEnvironment();
    default:
      process.stderr.write(`${usage}\n`);
      return 2;
  }
}

// `status | head` closes our output early, which is no failure.
process.stdout.on('error', () => undefined);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof ClusterUnavailable ? 3 : 1;
}
