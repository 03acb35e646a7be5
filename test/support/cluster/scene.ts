/** A namespace of one test with a scripted upstream in it, taken away at the end. */
import { randomBytes } from 'node:crypto';
import type { Installed } from './installed.ts';
import { deployment, list } from './objects.ts';
import { until } from './wait.ts';

export interface Scene {
  readonly namespace: string;
  /** URL of the scripted upstream, as pods reach it. */
  readonly upstreamUrl: string;
  /** Runs a command in a container of a pod. @returns standard output */
  exec(pod: string, command: readonly string[], container?: string): Promise<string>;
  apply(yaml: string): Promise<string>;
  /** Waits until the named StreamProxy's condition has that status. @returns the resource's status */
  condition(proxy: string, type: string, status: string, timeoutMs?: number): Promise<ProxyStatus>;
  /** The one running pod with the label app=<name>. */
  podOf(name: string): Promise<string>;
  end(): Promise<void>;
}

export interface ProxyStatus {
  readonly revision?: string;
  readonly observedGeneration?: number;
  readonly pods?: {
    readonly injected: number;
    readonly current: number;
    readonly stale: number;
    readonly unreachable: number;
  };
  readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
}

interface PodList {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    status: { phase: string; conditions?: { type: string; status: string }[] };
  }[];
}

interface ProxyObject {
  metadata: { generation: number };
  status?: ProxyStatus;
}

export const UPSTREAM_PORT = 8080;

export interface SceneOptions {
  /** Labels of the namespace, for Pod Security. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Arguments of the scripted upstream besides its port and host. */
  readonly upstreamArgs?: readonly string[];
}

/** Makes the namespace and waits until the scripted upstream answers. */
export async function scene(installed: Installed, name: string, options: SceneOptions = {}): Promise<Scene> {
  const { kubectl } = installed;
  const namespace = `${name}-${randomBytes(3).toString('hex')}`;
  const inNamespace = ['-n', namespace];
  await deployUpstream(installed, namespace, options);
  return {
    namespace,
    upstreamUrl: `http://upstream.${namespace}.svc:${UPSTREAM_PORT}`,
    exec: (pod, command, container = 'app') =>
      kubectl.do([...inNamespace, 'exec', pod, '-c', container, '--', ...command]),
    apply: (yaml) => kubectl.apply(yaml, inNamespace),
    condition: (proxy, type, status, timeoutMs = 30_000) =>
      until(
        `condition ${type}=${status} of StreamProxy ${proxy}`,
        async () => {
          const found = await kubectl.get<ProxyObject>([...inNamespace, 'streamproxy', proxy]);
          if (found.status?.observedGeneration !== found.metadata.generation) return undefined;
          const condition = found.status.conditions?.find((c) => c.type === type);
          return condition?.status === status ? found.status : undefined;
        },
        { timeoutMs },
      ),
    podOf: (app) =>
      until(`a ready pod of ${app}`, async () => {
        const pods = await kubectl.get<PodList>([...inNamespace, 'pods', '-l', `app=${app}`]);
        return pods.items.find(isReady)?.metadata.name;
      }),
    end: async () => {
      await kubectl.try(['delete', 'namespace', namespace, '--wait=false']);
    },
  };
}

function isReady({ metadata, status }: PodList['items'][number]): boolean {
  const ready = status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
  return ready && metadata.deletionTimestamp === undefined;
}

async function deployUpstream(
  { kubectl, testImage }: Installed,
  namespace: string,
  { labels = {}, upstreamArgs = [] }: SceneOptions,
): Promise<void> {
  const metadata = { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted', ...labels } };
  await kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata }));
  const args = ['upstream', '--port', String(UPSTREAM_PORT), '--host', '0.0.0.0', ...upstreamArgs];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'upstream' },
    spec: { selector: { app: 'upstream' }, ports: [{ port: UPSTREAM_PORT }] },
  };
  await kubectl.apply(list(service, deployment({ name: 'upstream', image: testImage, args })), ['-n', namespace]);
  await kubectl.do(['-n', namespace, 'rollout', 'status', 'deployment/upstream', '--timeout=60s']);
}

/** A StreamProxy of one anthropic and one openai upstream, both the scripted one, and a route for each. */
export function streamProxy(name: string, upstreamUrl: string, spec: Readonly<Record<string, unknown>> = {}): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name },
    spec: {
      upstreams: [
        { name: 'claude', dialect: 'anthropic', url: upstreamUrl, credentials: [{ client: {} }] },
        { name: 'gpt', dialect: 'openai', url: `${upstreamUrl}/v1`, credentials: [{ client: {} }] },
      ],
      routes: [
        { name: 'messages', match: { paths: ['/v1/messages*'] }, upstreams: [{ name: 'claude' }] },
        { name: 'chat', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'gpt' }] },
      ],
      logging: { targets: [{ name: 'stdout', stdout: {} }] },
      ...spec,
    },
  };
}
