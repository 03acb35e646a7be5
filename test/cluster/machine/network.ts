// The cluster's own network namespace: a veth pair to the outside, and one route on the outside that reaches
// the node, the pods and the Services alike.
import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exists } from './files.ts';
import { runCommand, tryCommand } from './run-command.ts';
import { addresses, clusterName, innerInterface, netnsPath, outerInterface } from './settings.ts';
import { ClusterUnavailable } from './unavailable.ts';

/**
 * Prefix of every command that runs in the namespace. Never `ip netns exec`: that mounts /sys anew and thereby
 * hides the cgroups, and kubelet stops.
 */
export function inNetns(argv: readonly string[]): string[] {
  return ['nsenter', `--net=${netnsPath}`, '--', ...argv];
}

/** Makes the namespace and the link. */
export async function createNetwork(): Promise<void> {
  const { outer, node, linkPrefix, block } = addresses;
  await runCommand(['ip', 'netns', 'add', clusterName]);
  const pair = ['type', 'veth', 'peer', 'name', innerInterface, 'netns', clusterName];
  await runCommand(['ip', 'link', 'add', outerInterface, ...pair]);
  await runCommand(['ip', 'addr', 'add', `${outer}/${linkPrefix}`, 'dev', outerInterface]);
  await runCommand(['ip', 'link', 'set', outerInterface, 'up']);
  const inside = [
    'ip link set lo up',
    `ip addr add ${node}/${linkPrefix} dev ${innerInterface}`,
    `ip link set ${innerInterface} up`,
    `ip route add default via ${outer}`,
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
  ];
  await runCommand(inNetns(['sh', '-ec', inside.join('\n')]));
  await runCommand(['ip', 'route', 'add', block, 'via', node, 'dev', outerInterface]);
}

/** Throws ClusterUnavailable when another network lies in our block: it would silently lose its traffic to us. */
export async function requireFreeBlock(): Promise<void> {
  const taken = (await runCommand(['ip', '-4', 'route', 'show', 'root', addresses.block])).trim();
  if (taken !== '') {
    throw new ClusterUnavailable(`Cannot use the network ${addresses.block}: this machine has a route "${taken}"`);
  }
}

/** Takes down what createNetwork() made, or what is left of it. */
export async function removeNetwork(): Promise<void> {
  // By hand, as the pair would live on while any foreign process stays in the namespace.
  await tryCommand(['ip', 'link', 'delete', outerInterface]);
  if (await exists(netnsPath)) await runCommand(['ip', 'netns', 'delete', clusterName]);
  // `ip netns add` mounts the folder onto itself; that is ours to undo when nobody else has a namespace there.
  const folder = dirname(netnsPath);
  if ((await readdir(folder).catch(() => ['unknown'])).length === 0) await tryCommand(['umount', '--lazy', folder]);
}

/** What of the network exists at this moment; empty after removeNetwork(). */
export async function networkLeftovers(): Promise<string[]> {
  const link = await tryCommand(['ip', 'link', 'show', outerInterface]);
  return [
    ...((await exists(netnsPath)) ? [`network namespace ${clusterName}`] : []),
    ...(link.code === 0 ? [`interface ${outerInterface}`] : []),
  ];
}
