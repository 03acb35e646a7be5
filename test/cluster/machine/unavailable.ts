// Says whether this machine can carry the cluster at all. Tests print the reason as a skip (a failure in CI).
import { isUnified } from './cgroups.ts';
import { exists } from './files.ts';
import { paths, runFolder } from './settings.ts';

/** Thrown when the machine cannot carry a cluster; nothing was changed on it. */
export class ClusterUnavailable extends Error {
  override name = 'ClusterUnavailable';
}

/** containerd refuses a longer folder for its shims' sockets. */
const longestSocketFolder = 42;

/** Throws ClusterUnavailable unless this is Linux and root, with cgroups and a run folder that can be used. */
export async function requireUsableMachine(): Promise<void> {
  const wayOut = 'or set SLUICE_KUBECONFIG to use a cluster of your own';
  if (process.platform !== 'linux') {
    throw new ClusterUnavailable(`Cannot boot a cluster on "${process.platform}": use Linux, ${wayOut}`);
  }
  if (process.getuid?.() !== 0) {
    throw new ClusterUnavailable(`Cannot boot a cluster as user ${process.getuid?.()}: run as root, ${wayOut}`);
  }
  if (paths.shimSockets.length > longestSocketFolder) {
    const excess = paths.shimSockets.length - longestSocketFolder;
    throw new ClusterUnavailable(`Cannot use SLUICE_RUN "${runFolder}": make it ${excess} characters shorter`);
  }
  if (!isUnified() && !(await exists('/sys/fs/cgroup/pids'))) {
    throw new ClusterUnavailable(`Cannot boot a cluster without cgroups in /sys/fs/cgroup: mount them, ${wayOut}`);
  }
}

/** True when Debian's package manager is there. */
export function hasApt(): Promise<boolean> {
  return exists('/usr/bin/apt-get');
}
