/** The operator as a process of its own, against a real API server of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parse, stringify } from 'yaml';
import { loadAccess } from '../../operator/cluster/access.ts';
import { type Cluster, connect } from '../../operator/cluster/cluster.ts';
import { ClusterUnavailable } from '../cluster/machine/unavailable.ts';
import type { Kubectl } from './cluster/kubectl.ts';
import { type ControlPlane, controlPlane } from './control-plane.ts';

const ROOT = join(import.meta.dirname, '../..');
const OPERATOR = join(ROOT, 'operator/main.ts');

/** An API server for one test file, and its admin. */
export interface OperatorScene {
  readonly plane: ControlPlane;
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly admin: Cluster;
  readonly signal: AbortSignal;
}

export interface OperatorProcess {
  readonly child: ChildProcess;
  /** Everything that it logged so far. */
  readonly log: () => string;
  /** Base URL of its own port. */
  readonly url: string;
  /** Its exit code and signal, once it ended. */
  readonly ended: Promise<readonly [number | null, string | null]>;
  /** Ends it as Kubernetes would. */
  stop(): Promise<void>;
}

/** @returns undefined, after having skipped the test, when this machine carries no API server; in CI that is a failure */
export async function operatorScene(t: TestContext): Promise<OperatorScene | undefined> {
  const plane = await controlPlane(t).catch((error: unknown) => {
    if (!(error instanceof ClusterUnavailable) || process.env['CI']) throw error;
    t.skip(error.message);
    return undefined;
  });
  if (!plane) return undefined;
  const { kubeconfig, kubectl } = plane;
  const namespace = 'agents';
  await kubectl.do(['apply', '--server-side', '-f', join(ROOT, 'crds')]);
  await kubectl.do(['create', 'namespace', namespace]);
  await kubectl.do([
    'wait',
    '--for=condition=Established',
    'crd/streamproxies.sluice.dev',
    'crd/sidecarprofiles.sluice.dev',
    '--timeout=60s',
  ]);
  return {
    plane,
    namespace,
    kubeconfig,
    kubectl,
    admin: connect(loadAccess(kubeconfig)),
    signal: AbortSignal.timeout(600_000),
  };
}

/** @param server another address of the API server, such as a proxy that cuts */
export async function startOperator(
  t: TestContext,
  scene: OperatorScene,
  { name = 'operator-0', server }: { readonly name?: string; readonly server?: string } = {},
): Promise<OperatorProcess> {
  const KUBECONFIG = server === undefined ? scene.kubeconfig : await kubeconfigThrough(t, scene.kubeconfig, server);
  const child = spawn(process.execPath, [OPERATOR], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG,
      POD_NAMESPACE: scene.namespace,
      POD_NAME: name,
      SLUICE_WATCH_NAMESPACES: scene.namespace,
      SLUICE_SIDECAR_IMAGE: 'example.org/sluice:1.0.0',
      SLUICE_METRICS_PORT: '0',
      SLUICE_LOG_LEVEL: 'debug',
    },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    await ended;
  };
  t.after(stop);
  while (!log.includes('"Started"')) {
    const [text] = (await Promise.race([once(child.stderr, 'data'), ended.then(() => [undefined])])) as [
      string | undefined,
    ];
    if (text === undefined) throw new Error(`The operator ended at its start: ${log}`);
  }
  const port = Number(/"metricsPort":(\d+)/.exec(log)?.[1]);
  return { child, log: () => log, url: `http://127.0.0.1:${port}`, ended, stop };
}

async function kubeconfigThrough(t: TestContext, kubeconfig: string, server: string): Promise<string> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: Record<string, unknown> }[] };
  for (const { cluster } of config.clusters) cluster['server'] = server;
  const path = join(await temporaryFolder(t), 'kubeconfig');
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-operator-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
