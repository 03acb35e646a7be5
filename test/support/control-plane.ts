/**
 * etcd and a real kube-apiserver for one test file, without nodes: for tests that break the API server under the operator,
 * or need it without another operator beside theirs. The programs are those of the test cluster.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { buildPieces } from '../cluster/machine/build.ts';
import { runCommand } from '../cluster/machine/run-command.ts';
import { requireUsableMachine } from '../cluster/machine/unavailable.ts';
import { Kubectl } from './cluster/kubectl.ts';
import { until } from './cluster/wait.ts';

export interface ControlPlane {
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly server: URL;
  /** Kills the API server at once and starts it anew on the same port and data. @returns when it answers again */
  restartApiServer(): Promise<void>;
  /** Kills the API server for good. */
  stopApiServer(): Promise<void>;
}

/** @throws ClusterUnavailable when this machine cannot build or run it */
export async function controlPlane(t: TestContext): Promise<ControlPlane> {
  await requireUsableMachine();
  const { node, pki } = await buildPieces(() => undefined, ['node', 'pki']);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-control-plane-'));
  const running = new Set<ChildProcess>();
  t.after(async () => {
    await Promise.all([...running].map(kill));
    await rm(folder, { recursive: true, force: true });
  });
  const [etcdPort = 0, peerPort = 0, apiPort = 0] = await freePorts(3);
  const server = new URL(`https://127.0.0.1:${apiPort}`);
  await runCommand([join(pki, 'pki'), '-out', join(folder, 'pki'), '-names', '127.0.0.1,localhost']);
  const token = randomBytes(24).toString('hex');
  await writeFile(join(folder, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, await kubeconfigOf(folder, server, token), { mode: 0o600 });
  const kubectl = new Kubectl(join(node, 'kubectl'), kubeconfig);
  const start = async (name: string, flags: Readonly<Record<string, string>>): Promise<ChildProcess> => {
    const log = await open(join(folder, `${name}.log`), 'a');
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(join(node, name), args, { stdio: ['ignore', log.fd, log.fd] });
    running.add(child.once('exit', () => running.delete(child)));
    await log.close();
    return child;
  };
  const answers = async (): Promise<void> => {
    await until(
      'the API server to be ready',
      async () => ((await kubectl.try(['get', '--raw', '/readyz'])).code === 0 ? true : undefined),
      {
        timeoutMs: 120_000,
      },
    );
  };
  await start('etcd', etcdFlags(folder, etcdPort, peerPort));
  let apiServer = await start('kube-apiserver', apiServerFlags(folder, etcdPort, apiPort));
  await answers();
  return {
    kubeconfig,
    kubectl,
    server,
    stopApiServer: () => kill(apiServer),
    async restartApiServer() {
      await kill(apiServer);
      apiServer = await start('kube-apiserver', apiServerFlags(folder, etcdPort, apiPort));
      await answers();
    },
  };
}

function etcdFlags(folder: string, clientPort: number, peerPort: number): Record<string, string> {
  return {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': `http://127.0.0.1:${clientPort}`,
    'advertise-client-urls': `http://127.0.0.1:${clientPort}`,
    'listen-peer-urls': `http://127.0.0.1:${peerPort}`,
    'unsafe-no-fsync': 'true',
  };
}

function apiServerFlags(folder: string, etcdPort: number, port: number): Record<string, string> {
  const pki = (file: string): string => join(folder, 'pki', file);
  return {
    'etcd-servers': `http://127.0.0.1:${etcdPort}`,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'endpoint-reconciler-type': 'none',
    'secure-port': String(port),
    'tls-cert-file': pki('apiserver.crt'),
    'tls-private-key-file': pki('apiserver.key'),
    'token-auth-file': join(folder, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    // Without a controller manager no namespace has its default account.
    'disable-admission-plugins': 'ServiceAccount',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': pki('service-account.pub'),
    'service-account-signing-key-file': pki('service-account.key'),
    'service-cluster-ip-range': '10.222.0.0/24',
  };
}

async function kubeconfigOf(folder: string, server: URL, token: string): Promise<string> {
  const ca = await readFile(join(folder, 'pki', 'ca.crt'));
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server: server.origin, 'certificate-authority-data': ca.toString('base64') } },
    ],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
