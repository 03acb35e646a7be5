// Traces that programs leave outside of the run folder, in places that no setting of theirs moves. Each is
// removed only when it is known to be ours, a folder only when it is empty.
import { lstat, readdir, readlink, rm, rmdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { clusterName, paths } from './settings.ts';

/** Kubelet puts links to the pods' logs here, whatever its own folders are. */
const logLinkFolder = '/var/log/containers';
/** The library of the network plugins remembers its results here. */
const cniResultFolder = '/var/lib/cni/results';
/** Kubelet listens here for device plugins. */
const deviceSocket = '/var/lib/kubelet/device-plugins/kubelet.sock';

const foldersToTidy = [
  logLinkFolder,
  cniResultFolder,
  '/var/lib/cni',
  '/var/lib/kubelet/device-plugins',
  '/var/lib/kubelet',
];

/** Paths of our traces at this moment. */
export async function hostTraces(): Promise<string[]> {
  return [
    ...(await logLinks()),
    ...(await cniResults()),
    ...((await isDeadSocket(deviceSocket)) ? [deviceSocket] : []),
  ];
}

/** Removes them; call it when no process of ours is left. */
export async function removeHostTraces(): Promise<void> {
  for (const path of await hostTraces()) await rm(path, { force: true });
  // Fails when somebody else has something there, and that is how it should be.
  for (const folder of foldersToTidy) await rmdir(folder).catch(() => undefined);
}

async function logLinks(): Promise<string[]> {
  const names = await readdir(logLinkFolder).catch(() => []);
  const links = names.map((name) => join(logLinkFolder, name));
  const targets = await Promise.all(links.map((link) => readlink(link).catch(() => '')));
  return links.filter((_, index) => targets[index]?.startsWith(`${paths.podLogs}/`));
}

/** Results carry the network's name, but for those of the loopback plugin, which share the pod's id. */
async function cniResults(): Promise<string[]> {
  const names = await readdir(cniResultFolder).catch(() => []);
  const pattern = new RegExp(`^${clusterName}-([0-9a-f]{64})-eth0$`);
  const ids = new Set(names.map((name) => pattern.exec(name)?.[1]));
  const isOurs = (name: string): boolean => ids.has(/^[a-z-]+-([0-9a-f]{64})-(?:eth0|lo)$/.exec(name)?.[1] ?? '');
  return names.filter(isOurs).map((name) => join(cniResultFolder, name));
}

/** True for a socket that nobody listens at any more. */
async function isDeadSocket(path: string): Promise<boolean> {
  const isSocket = await lstat(path).then(
    (stat) => stat.isSocket(),
    () => false,
  );
  if (!isSocket) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
}
