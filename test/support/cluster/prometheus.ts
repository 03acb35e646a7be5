/** A real Prometheus in the cluster's network, which finds the sidecars through the API server. Built from its Go module: Debian's cannot ask that API. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPieces } from '../../cluster/machine/build.ts';
import { followLines } from './follow.ts';
import type { Installed } from './installed.ts';
import { run } from './kubectl.ts';
import { list } from './objects.ts';
import { until } from './wait.ts';

const PORT = 9490;

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** [seconds, value as text] */
  readonly value: readonly [number, string];
}

export interface Prometheus {
  /** Evaluates an instant query. */
  query(expression: string): Promise<Sample[]>;
  /** Addresses of the targets that were discovered and answer. */
  healthyTargets(): Promise<string[]>;
  end(): Promise<void>;
}

/** Starts it with a ServiceAccount of `namespace` that may look at pods, as a user's Prometheus would be set up. */
export async function startPrometheus(ready: Installed, namespace: string): Promise<Prometheus> {
  const { prometheus } = await buildPieces(() => undefined, ['prometheus']);
  const { cluster, kubectl } = ready;
  const token = await scraperToken(ready, namespace);
  const { clusters } = JSON.parse(
    await kubectl.do(['config', 'view', '--raw', '--minify', '-o', 'json']),
  ) as KubeConfig;
  const [first] = clusters;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
  await writeFile(join(folder, 'ca.crt'), Buffer.from(first.cluster['certificate-authority-data'], 'base64'));
  await writeFile(join(folder, 'token'), token);
  await writeFile(join(folder, 'prometheus.yml'), config(first.cluster.server, namespace, folder));
  const listen = `${cluster.hostAddress}:${PORT}`;
  const flags = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${listen}`,
  ];
  const program = followLines(cluster.inNetwork([join(prometheus, 'prometheus'), ...flags]));
  const get = async (path: string): Promise<unknown> => {
    const answer = await run(cluster.inNetwork(['curl', '-sS', '--fail-with-body', '-G', `http://${listen}${path}`]));
    if (answer.code !== 0) throw new Error(`Asking Prometheus for ${path} failed: ${answer.stdout}${answer.stderr}`);
    return (JSON.parse(answer.stdout) as { data: unknown }).data;
  };
  await until(
    'Prometheus to be ready',
    () => {
      if (program.child.exitCode !== null) throw new Error(`Prometheus ended: ${program.complaint()}`);
      return get('/api/v1/status/runtimeinfo');
    },
    { timeoutMs: 30_000 },
  );
  return {
    query: async (expression) =>
      ((await get(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as { result: Sample[] }).result,
    healthyTargets: async () => {
      const { activeTargets } = (await get('/api/v1/targets?state=active')) as {
        activeTargets: { health: string; scrapeUrl: string }[];
      };
      return activeTargets.filter((target) => target.health === 'up').map((target) => target.scrapeUrl);
    },
    end: async () => {
      await program.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface KubeConfig {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
}

async function scraperToken({ kubectl }: Installed, namespace: string): Promise<string> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'scraper' } };
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }];
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'scraper' }, rules };
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'scraper' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'scraper' },
    subjects: [{ kind: 'ServiceAccount', name: 'scraper', namespace }],
  };
  await kubectl.apply(list(account, role, binding), ['-n', namespace]);
  return (await kubectl.do(['-n', namespace, 'create', 'token', 'scraper', '--duration=2h'])).trim();
}

/** As docs/metrics.md shows it: the port is found by its name, the workload's labels come from discovery. */
function config(server: string, namespace: string, folder: string): string {
  return `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: sluice
  kubernetes_sd_configs:
  - role: pod
    api_server: ${server}
    namespaces: {names: [${namespace}]}
    tls_config: {ca_file: ${folder}/ca.crt}
    authorization: {credentials_file: ${folder}/token}
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_container_port_name], regex: sluice-metrics, action: keep}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
`;
}
