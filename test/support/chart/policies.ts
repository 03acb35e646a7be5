/** The chart's policies in force on the cluster of the tests, with or without a running operator. */
import { type Cluster, ClusterUnavailable, clusterUp } from '../../cluster/machine/cluster.ts';
import { Kubectl, type RunResult, run } from '../cluster/kubectl.ts';
import { until } from '../cluster/wait.ts';
import { CHART } from './helm.ts';

export const SYSTEM_NAMESPACE = 'sluice-system';
/** The operator's identity, which tests borrow to see what it may do. */
export const OPERATOR = `system:serviceaccount:${SYSTEM_NAMESPACE}:sluice-operator`;

export interface Policies {
  readonly kubectl: Kubectl;
  /** Creates an object as a dry run: admission runs, nothing stays. */
  create(object: object, as?: string): Promise<RunResult>;
  /** Creates or replaces an object for real. */
  store(object: object, as?: string): Promise<RunResult>;
}

/**
 * Installs the chart, keeping the values of a release that is there, and waits until its policies answer.
 * @returns undefined where no cluster can be had; under CI that is an error
 */
export async function policiesInForce(): Promise<Policies | undefined> {
  const cluster = await clusterUp().catch((error: unknown) => {
    if (error instanceof ClusterUnavailable && process.env['CI'] !== 'true') return undefined;
    throw error;
  });
  if (cluster === undefined) return undefined;
  await until('the chart to be installed', () => install(cluster));
  const policies = bound(new Kubectl(cluster.kubectl, cluster.kubeconfig));
  await until('the policies to be in force', async () => ((await isInForce(policies)) ? true : undefined));
  return policies;
}

/** @returns undefined while another test file installs at the same time */
async function install(cluster: Cluster): Promise<true | undefined> {
  const command = [cluster.helm, 'upgrade', '--install', 'sluice', CHART, '--kubeconfig', cluster.kubeconfig];
  command.push('--namespace', SYSTEM_NAMESPACE, '--create-namespace', '--reset-then-reuse-values');
  const { code, stderr } = await run(command);
  if (code === 0) return true;
  if (stderr.includes('another operation')) return undefined;
  throw new Error(`Installing the chart failed: ${stderr}`);
}

function bound(kubectl: Kubectl): Policies {
  const identity = (as: string | undefined) => (as === undefined ? [] : [`--as=${as}`]);
  return {
    kubectl,
    create: (object, as) =>
      kubectl.try(['create', '--dry-run=server', '-o', 'json', '-f', '-', ...identity(as)], {
        input: JSON.stringify(object),
      }),
    store: (object, as) =>
      kubectl.try(['apply', '--server-side', '--force-conflicts', '-f', '-', ...identity(as)], {
        input: JSON.stringify(object),
      }),
  };
}

/** Each policy by something that it refuses; the one that injects is awaited by whoever needs a profile. */
async function isInForce(policies: Policies): Promise<boolean> {
  const create: Policies['create'] = (object, as) => policies.create(object, as);
  const metadata = { name: 'probe', namespace: 'default' };
  const annotations = { 'sluice.dev/inject': '' };
  const spec = { containers: [{ name: 'app', image: 'none' }] };
  const answers = await Promise.all([
    create({ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations }, spec }),
    create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, annotations },
      spec: { ...spec, hostNetwork: true },
    }),
    create({ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations: NAMED }, spec: LACKS_VOLUME }),
    create(profile(metadata.name, metadata.namespace)),
    create({ apiVersion: 'v1', kind: 'Secret', metadata }, OPERATOR),
    create(
      { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, namespace: SYSTEM_NAMESPACE, annotations }, spec },
      OPERATOR,
    ),
  ]);
  return answers.every(({ stderr }) => stderr.includes('ValidatingAdmissionPolicy'));
}

const NAMED = { 'sluice.dev/inject': 'none' };
/** A pod with a sidecar whose profile asked for a volume that is not there. */
const LACKS_VOLUME = {
  containers: [{ name: 'app', image: 'none' }],
  initContainers: [
    { name: 'sluice', image: 'none', restartPolicy: 'Always', env: [{ name: 'SLUICE_VOLUMES', value: 'absent' }] },
  ],
};

/** A SidecarProfile as the operator might write it, small. @param mounts of the pod's own volumes */
export function profile(name: string, namespace: string, mounts: readonly { readonly name: string }[] = []): object {
  const env = [{ name: 'SLUICE_VOLUMES', value: mounts.map((mount) => mount.name).join(' ') }];
  const volumeMounts = [{ name: 'sluice-config', mountPath: '/etc/sluice' }];
  const container = { name: 'sluice', image: 'none', restartPolicy: 'Always', args: ['proxy'], volumeMounts };
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'SidecarProfile',
    metadata: { name, namespace },
    spec: {
      container: mounts.length > 0 ? { ...container, env } : container,
      volumeMounts: mounts,
      volumes: [{ name: 'sluice-config', secret: { secretName: `sluice-${name}` } }],
      env: [{ name: 'OPENAI_BASE_URL', value: 'http://127.0.0.1:8019/v1' }],
      noProxy: '127.0.0.1,localhost',
    },
  };
}
