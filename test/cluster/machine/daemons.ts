// The command line of every daemon.
import { join } from 'node:path';
import type { BuiltPieces } from './build.ts';
import { configPath } from './node-config.ts';
import { addresses, apiPort, nodeName, paths } from './settings.ts';

export const daemonNames = [
  'etcd',
  'containerd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'coredns',
] as const;

export type DaemonName = (typeof daemonNames)[number];

const etcdUrl = 'http://127.0.0.1:2379';

/** Issuer of ServiceAccount tokens; its discovery document is served at the API server. */
export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local';

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function pki(file: string): string {
  return join(paths.pki, file);
}

/** Program and arguments of one daemon. */
export function daemonArgv(name: DaemonName, built: BuiltPieces): string[] {
  const node = join(built.node, name);
  switch (name) {
    case 'etcd':
      return [node, ...flags(etcdFlags), '--unsafe-no-fsync'];
    case 'containerd':
      return [join(built.containerd, name), '--config', configPath('containerd.toml')];
    case 'kube-apiserver':
      return [node, ...flags(apiserverFlags)];
    case 'kube-controller-manager':
      return [node, ...flags(controllerManagerFlags)];
    case 'kube-scheduler':
      return [node, ...flags(schedulerFlags)];
    case 'kube-proxy':
      return [node, ...flags({ config: configPath('kube-proxy.json') })];
    case 'kubelet':
      return [node, ...flags(kubeletFlags)];
    case 'coredns':
      return [join(built.coredns, name), '-conf', configPath('Corefile')];
    default:
      return name satisfies never;
  }
}

/** Data is thrown away at `down`, hence no fsync. */
const etcdFlags = {
  'data-dir': paths.etcd,
  'listen-client-urls': etcdUrl,
  'advertise-client-urls': etcdUrl,
  'listen-peer-urls': 'http://127.0.0.1:2380',
  'quota-backend-bytes': String(4 * 1024 ** 3),
};

const apiserverFlags = {
  'etcd-servers': etcdUrl,
  'advertise-address': addresses.node,
  'secure-port': String(apiPort),
  'tls-cert-file': pki('apiserver.crt'),
  'tls-private-key-file': pki('apiserver.key'),
  'client-ca-file': pki('ca.crt'),
  'token-auth-file': configPath('tokens.csv'),
  'authorization-mode': 'Node,RBAC',
  'enable-admission-plugins': 'NodeRestriction',
  'allow-privileged': 'true',
  'service-account-issuer': tokenIssuer,
  'service-account-key-file': pki('service-account.pub'),
  'service-account-signing-key-file': pki('service-account.key'),
  'service-cluster-ip-range': addresses.services,
  // These three are what `kubectl logs` and `kubectl exec` need.
  'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
  'kubelet-client-key': pki('apiserver-kubelet-client.key'),
  'kubelet-certificate-authority': pki('ca.crt'),
  'kubelet-preferred-address-types': 'InternalIP',
  'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
  'requestheader-allowed-names': 'front-proxy-client',
  'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
  'requestheader-group-headers': 'X-Remote-Group',
  'requestheader-username-headers': 'X-Remote-User',
  'proxy-client-cert-file': pki('front-proxy-client.crt'),
  'proxy-client-key-file': pki('front-proxy-client.key'),
};

const controllerManagerFlags = {
  kubeconfig: configPath('kube-controller-manager.kubeconfig'),
  'leader-elect': 'false',
  'use-service-account-credentials': 'true',
  'service-account-private-key-file': pki('service-account.key'),
  'root-ca-file': pki('ca.crt'),
  'cluster-signing-cert-file': pki('ca.crt'),
  'cluster-signing-key-file': pki('ca.key'),
  'kube-api-qps': '200',
  'kube-api-burst': '400',
};

const schedulerFlags = {
  kubeconfig: configPath('kube-scheduler.kubeconfig'),
  'leader-elect': 'false',
  'kube-api-qps': '200',
  'kube-api-burst': '400',
};

const kubeletFlags = {
  config: configPath('kubelet.json'),
  kubeconfig: configPath('kubelet.kubeconfig'),
  'hostname-override': nodeName,
  'node-ip': addresses.node,
  'root-dir': paths.kubelet,
};
