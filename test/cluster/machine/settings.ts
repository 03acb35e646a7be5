// Every fixed choice of the test cluster in one place: folders, addresses, names. The only file of this
// folder that reads the environment.
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

const environment = process.env;

/** Path as the kernel names it in its list of mounts, whether the last folders exist yet or not. */
function withoutLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(withoutLinks(dirname(path)), basename(path));
}

/** Folder that holds finished builds; it survives `down`. */
export const cacheFolder = join(
  environment['SLUICE_CACHE'] || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice'),
  'cluster',
);

/**
 * Folder of the running cluster. Not below /run by default: that is often a small tmpfs, and images are unpacked here.
 * Unix sockets lie inside, so a long path fails at their limit of 108 bytes.
 */
export const runFolder = withoutLinks(resolve(environment['SLUICE_RUN'] || '/var/lib/sluice-cluster'));

/** The user's own cluster, when set: nothing is built or booted then. */
export const userKubeconfig = environment['SLUICE_KUBECONFIG'] || undefined;

/** Path and the rest of the environment for child processes; the system folders are missing in some shells. */
export const childEnvironment: NodeJS.ProcessEnv = {
  ...environment,
  PATH: [environment['PATH'], '/usr/local/go/bin', '/usr/sbin', '/sbin'].filter(Boolean).join(':'),
};

/** Name of the network namespace, of the cgroup and of the veth's two ends. */
export const clusterName = 'sluice';
export const netnsPath = `/run/netns/${clusterName}`;
export const outerInterface = 'sluice-out';
export const innerInterface = 'sluice-in';

/** One uncommon private block for everything, so that a single route on the host reaches nodes, pods and Services. */
export const addresses = {
  block: '10.197.0.0/16',
  outer: '10.197.0.1',
  node: '10.197.0.2',
  linkPrefix: 30,
  pods: '10.197.64.0/20',
  services: '10.197.128.0/20',
  apiService: '10.197.128.1',
  dnsService: '10.197.128.10',
} as const;

export const apiPort = 6443;
export const nodeName = 'sluice-node';
export const clusterDomain = 'cluster.local';

/** Name under which the sandbox image is imported. */
export const pauseImage = 'localhost/sluice-pause:1';

/** Where Debian puts the network plugins. */
export const cniPluginFolder = '/usr/lib/cni';

/** Paths inside the run folder. */
export const paths = {
  pki: join(runFolder, 'pki'),
  config: join(runFolder, 'config'),
  logs: join(runFolder, 'logs'),
  bin: join(runFolder, 'bin'),
  marker: join(runFolder, '.sluice-cluster'),
  state: join(runFolder, 'state.json'),
  etcd: join(runFolder, 'etcd'),
  kubelet: join(runFolder, 'kubelet'),
  podLogs: join(runFolder, 'pod-logs'),
  containerdRoot: join(runFolder, 'containerd'),
  containerdState: join(runFolder, 'containerd-run'),
  containerdSocket: join(runFolder, 'containerd-run', 'containerd.sock'),
  shimSockets: join(runFolder, 's'),
  cniConfig: join(runFolder, 'cni'),
  cniState: join(runFolder, 'cni-state'),
  adminKubeconfig: join(runFolder, 'admin.kubeconfig'),
} as const;
