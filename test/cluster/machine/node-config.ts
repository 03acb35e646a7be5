// The configuration files of the daemons, written anew at each boot.
import { join } from 'node:path';
import type { BuiltPieces } from './build.ts';
import { isUnified } from './cgroups.ts';
import { writePrivate } from './files.ts';
import { addresses, clusterDomain, clusterName, cniPluginFolder, nodeName, paths, pauseImage } from './settings.ts';

/** Path of one configuration file. */
export function configPath(name: string): string {
  return join(paths.config, name);
}

/** Writes all of them. */
export async function writeNodeConfig(built: BuiltPieces): Promise<void> {
  await writePrivate(configPath('containerd.toml'), containerdConfig(built));
  await writePrivate(join(paths.cniConfig, '10-sluice.conflist'), json(cniConfig));
  await writePrivate(configPath('kubelet.json'), json(kubeletConfig()));
  await writePrivate(configPath('kube-proxy.json'), json(kubeProxyConfig));
  await writePrivate(configPath('Corefile'), corefile);
  await writePrivate(configPath('resolv.conf'), `nameserver ${addresses.node}\n`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function containerdConfig(built: BuiltPieces): string {
  const cri = 'plugins."io.containerd.cri.v1';
  return `version = 3
root = "${paths.containerdRoot}"
state = "${paths.containerdState}"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri"]
[grpc]
address = "${paths.containerdSocket}"
[ttrpc]
address = "${paths.containerdSocket}.ttrpc"
[plugins."io.containerd.shim.v1.manager"]
socket_dir = "${paths.shimSockets}"
[plugins."io.containerd.internal.v1.opt"]
path = "${join(paths.containerdRoot, 'opt')}"
[${cri}.images".pinned_images]
sandbox = "${pauseImage}"
[${cri}.runtime"]
# Without CAP_SYS_RESOURCE a score may not be lowered, and runc then fails to start any container.
restrict_oom_score_adj = true
# Else the pods' namespaces are mounted outside of the run folder.
netns_mounts_under_state_dir = true
[${cri}.runtime".cni]
bin_dirs = ["${cniPluginFolder}"]
conf_dir = "${paths.cniConfig}"
[${cri}.runtime".containerd]
default_runtime_name = "runc"
[${cri}.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = "${join(built.containerd, 'containerd-shim-runc-v2')}"
[${cri}.runtime".containerd.runtimes.runc.options]
BinaryName = "${join(built.runc, 'runc')}"
Root = "${join(paths.containerdState, 'runc')}"
SystemdCgroup = false
`;
}

/**
 * Point-to-point links, not a bridge: every packet between two pods is routed, so a Service's answer finds its
 * way back through conntrack on kernels without br_netfilter too.
 */
const cniConfig = {
  cniVersion: '1.0.0',
  name: clusterName,
  plugins: [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: paths.cniState,
        ranges: [[{ subnet: addresses.pods }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

function kubeletConfig(): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(paths.pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(paths.pki, 'kubelet.crt'),
    tlsPrivateKeyFile: join(paths.pki, 'kubelet.key'),
    podLogsDir: paths.podLogs,
    resolvConf: configPath('resolv.conf'),
    clusterDNS: [addresses.node],
    clusterDomain,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${clusterName}`,
    ...(isUnified() ? {} : { failCgroupV1: false }),
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    maxPods: 250,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    eventRecordQPS: 200,
    eventBurst: 400,
    serializeImagePulls: false,
  };
}

const kubeProxyConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  hostnameOverride: nodeName,
  clientConnection: { kubeconfig: configPath('kube-proxy.kubeconfig'), qps: 100, burst: 200 },
  conntrack: { maxPerCore: 0 },
  detectLocalMode: 'InterfaceNamePrefix',
  detectLocal: { interfaceNamePrefix: 'veth' },
  nftables: { minSyncPeriod: '100ms', syncPeriod: '30s' },
  oomScoreAdj: 0,
};

/** Everything outside of the cluster's domain is unknown at once: there is no resolver behind this one. */
const corefile = `.:53 {
  bind ${addresses.node}
  errors
  kubernetes ${clusterDomain} in-addr.arpa {
    kubeconfig ${configPath('coredns.kubeconfig')}
    ttl 1
  }
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
