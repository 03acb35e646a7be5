// The Debian packages that the cluster needs, and their installation when something is missing.
import { exists } from './files.ts';
import { runCommand, tryCommand } from './run-command.ts';
import { cniPluginFolder } from './settings.ts';
import { ClusterUnavailable, hasApt } from './unavailable.ts';

/** Package name -> something to look for: a program by its bare name, or a file by its path. */
const needed: Readonly<Record<string, string>> = {
  'containernetworking-plugins': `${cniPluginFolder}/ptp`,
  'libseccomp-dev': '/usr/include/seccomp.h',
  'pkg-config': 'pkg-config',
  gcc: 'gcc',
  'libc6-dev': '/usr/include/stdlib.h',
  iproute2: 'ip',
  nftables: 'nft',
  conntrack: 'conntrack',
  // The ptp plugin refuses to start without it, even when it has nothing to masquerade.
  iptables: 'iptables',
  'util-linux': 'nsenter',
  mount: 'mount',
  // The tests on the cluster use these two.
  curl: 'curl',
  openssl: 'openssl',
};

async function isPresent(probe: string): Promise<boolean> {
  if (!probe.startsWith('/')) return (await tryCommand(['sh', '-c', `command -v ${probe}`])).code === 0;
  return exists(probe);
}

/** Names of the Debian packages that are missing on this machine. */
export async function missingPackages(): Promise<string[]> {
  const names = Object.keys(needed);
  const present = await Promise.all(Object.values(needed).map(isPresent));
  return names.filter((_, index) => !present[index]);
}

/** Installs what is missing. Go itself is not installed: Debian's is too old for this Kubernetes. */
export async function installPackages(log: (line: string) => void): Promise<void> {
  if (!(await isPresent('go'))) {
    throw new ClusterUnavailable('Cannot build a cluster without Go: install Go 1.26.6 or later and put it on PATH');
  }
  const missing = await missingPackages();
  if (missing.length === 0) return;
  if (!(await hasApt())) {
    throw new ClusterUnavailable(`Cannot install ${missing.join(', ')} without apt-get: install them by hand`);
  }
  log(`installing ${missing.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await runCommand(['apt-get', 'update', '-q'], { env });
  await runCommand(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}
