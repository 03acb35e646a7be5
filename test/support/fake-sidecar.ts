/**
 * A pod that no kubelet runs (its node does not exist), and in place of kubelet and sidecar this: when the pod's revision
 * annotation changes, it reads the mounted Secret anew and answers /revision with what it finds.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../../operator/cluster/kinds.ts';
import { profileSpec } from '../../operator/inject/sidecar.ts';
import type { OperatorScene } from './operator-process.ts';

export interface FakeSidecar {
  readonly pod: string;
  /** The revision that it executes; empty before the first. */
  readonly revision: () => string;
  /** Values of the annotation that it saw, in order. */
  readonly told: readonly string[];
  /** From now on it refuses what it is given, for this reason. */
  refuse(reason: string | undefined): void;
}

const SETTINGS = {
  image: 'example.org/sluice:1.0.0',
  imagePullPolicy: 'IfNotPresent',
  resources: { requests: {}, limits: {} },
} as const;
const KUBELET_MS = 20;

export async function fakeSidecar(
  t: TestContext,
  scene: OperatorScene,
  proxy: string,
  pod: string,
): Promise<FakeSidecar> {
  const state = { revision: '', refusal: undefined as string | undefined };
  const told: string[] = [];
  const server = createServer((_, response) => {
    const problems = state.refusal === undefined ? [] : [{ path: 'routes', message: state.refusal }];
    response.end(JSON.stringify({ revision: state.revision || null, problems }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = (server.address() as AddressInfo).port;
  await createPod(scene, proxy, pod, port);
  const stopping = new AbortController();
  const kubelet = playKubelet(scene, proxy, pod, stopping.signal, (annotation, revision) => {
    told.push(annotation);
    if (state.refusal === undefined) state.revision = revision;
  });
  t.after(async () => {
    stopping.abort();
    server.close();
    server.closeAllConnections();
    await kubelet;
  });
  return { pod, revision: () => state.revision, told, refuse: (reason) => (state.refusal = reason) };
}

async function createPod(
  { admin, namespace, kubectl, signal }: OperatorScene,
  proxy: string,
  name: string,
  port: number,
): Promise<void> {
  const resource = { metadata: { name: proxy }, spec: { metrics: { port }, upstreams: [], routes: [] } };
  const { container, volumes } = profileSpec(SETTINGS, resource);
  const pod = {
    metadata: { name, namespace, labels: { 'sluice.dev/proxy': proxy } },
    spec: {
      nodeName: 'no-such-node',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      initContainers: [container],
      containers: [{ name: 'app', image: 'example.org/app:1' }],
      volumes,
    },
  };
  await admin.create(KINDS.pod, pod, signal);
  const running = { running: { startedAt: new Date().toISOString() } };
  const status = {
    phase: 'Running',
    podIP: '127.0.0.1',
    podIPs: [{ ip: '127.0.0.1' }],
    initContainerStatuses: [
      {
        name: 'sluice',
        image: 'x',
        imageID: 'x',
        ready: true,
        restartCount: 0,
        containerID: 'containerd://1',
        state: running,
      },
    ],
  };
  await kubectl.do([
    '-n',
    namespace,
    'patch',
    'pod',
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  ]);
}

async function playKubelet(
  { admin, namespace }: OperatorScene,
  proxy: string,
  pod: string,
  signal: AbortSignal,
  onRefresh: (annotation: string, revision: string) => void,
): Promise<void> {
  let last: string | undefined;
  while (!signal.aborted) {
    const metadata = (await admin.getMetadata(KINDS.pod, { namespace, name: pod }, signal).catch(() => undefined))
      ?.metadata;
    const annotation = metadata?.annotations?.['sluice.dev/config-revision'];
    if (annotation !== undefined && annotation !== last) {
      last = annotation;
      const secret = await admin
        .get(KINDS.secret, { namespace, name: `sluice-${proxy}` }, signal)
        .catch(() => undefined);
      const config = (secret?.['data'] as Record<string, string> | undefined)?.['config.json'] ?? '';
      if (config !== '')
        onRefresh(annotation, (JSON.parse(Buffer.from(config, 'base64').toString()) as { revision: string }).revision);
    }
    await pause(KUBELET_MS, undefined, { signal }).catch(() => undefined);
  }
}
