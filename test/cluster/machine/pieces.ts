// The pieces that are built from Go source, in the order in which they are wanted: the node's own programs
// first, as they take longest.
import { fileURLToPath } from 'node:url';

export const kubernetesVersion = 'v1.36.3';
export const helmVersion = 'v4.3.1';
export const helm3Version = 'v3.22.0';

/** Folder of the Go modules. */
export const goFolder = fileURLToPath(new URL('../go', import.meta.url));

export type PieceName = 'node' | 'containerd' | 'runc' | 'coredns' | 'pki' | 'pause' | 'helm' | 'helm3' | 'prometheus';

export interface Piece {
  /** Name of the piece and of its folder below `go/`. */
  name: PieceName;
  /** Go packages -> names of the binaries. */
  binaries: Readonly<Record<string, string>>;
  /** Other names of the first binary, made as symlinks. */
  links?: readonly string[];
  /** Linker flags after `-s -w`. */
  linkerFlags?: string;
  tags?: string;
  /** Needs a C compiler; absent means a static binary. */
  cgo?: boolean;
  /** Built only when it is named: the cluster itself does without it. */
  onDemand?: boolean;
}

const versionPackage = 'k8s.io/component-base/version';
const kubernetesFlags = [
  `-X ${versionPackage}.gitVersion=${kubernetesVersion}`,
  `-X ${versionPackage}.gitMajor=1`,
  `-X ${versionPackage}.gitMinor=36`,
  `-X ${versionPackage}.gitTreeState=clean`,
].join(' ');

export const pieces: readonly Piece[] = [
  {
    name: 'node',
    binaries: { '.': 'node' },
    links: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'kubelet', 'kubectl'],
    linkerFlags: kubernetesFlags,
  },
  { name: 'pki', binaries: { '.': 'pki' } },
  { name: 'pause', binaries: { '.': 'pause' } },
  { name: 'runc', binaries: { 'github.com/opencontainers/runc': 'runc' }, tags: 'seccomp', cgo: true },
  {
    name: 'containerd',
    binaries: {
      'github.com/containerd/containerd/v2/cmd/containerd': 'containerd',
      'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2': 'containerd-shim-runc-v2',
      'github.com/containerd/containerd/v2/cmd/ctr': 'ctr',
    },
  },
  { name: 'coredns', binaries: { '.': 'coredns' } },
  {
    name: 'helm',
    binaries: { 'helm.sh/helm/v4/cmd/helm': 'helm' },
    linkerFlags: `-X helm.sh/helm/v4/internal/version.version=${helmVersion}`,
  },
  {
    name: 'helm3',
    binaries: { 'helm.sh/helm/v3/cmd/helm': 'helm3' },
    linkerFlags: `-X helm.sh/helm/v3/internal/version.version=${helm3Version}`,
  },
  {
    name: 'prometheus',
    binaries: { 'github.com/prometheus/prometheus/cmd/prometheus': 'prometheus' },
    tags: 'remove_all_sd,enable_kubernetes_sd',
    onDemand: true,
  },
];
