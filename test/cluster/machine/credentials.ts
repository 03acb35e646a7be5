// Certificates, tokens and kubeconfigs of one run. Everybody but the API server itself shows a static token.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltPieces } from './build.ts';
import { writePrivate } from './files.ts';
import { configPath } from './node-config.ts';
import { runCommand } from './run-command.ts';
import { addresses, apiPort, clusterDomain, nodeName, paths } from './settings.ts';

/** Who talks to the API server: name of the kubeconfig, user name, groups. */
const users: readonly { file: string; user: string; groups?: string }[] = [
  { file: 'kube-controller-manager', user: 'system:kube-controller-manager' },
  { file: 'kube-scheduler', user: 'system:kube-scheduler' },
  { file: 'kube-proxy', user: 'system:kube-proxy' },
  { file: 'kubelet', user: `system:node:${nodeName}`, groups: 'system:nodes' },
  { file: 'coredns', user: 'system:coredns' },
];

/** Address of the API server, the same inside and outside of the namespace. */
export const apiUrl = `https://${addresses.node}:${apiPort}`;

const serverNames = [
  addresses.node,
  addresses.apiService,
  '127.0.0.1',
  'localhost',
  nodeName,
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  `kubernetes.default.svc.${clusterDomain}`,
];

/** Makes everything anew; credentials of an earlier run are worth nothing afterwards. */
export async function writeCredentials(built: BuiltPieces): Promise<void> {
  await runCommand([join(built.pki, 'pki'), '-out', paths.pki, '-names', serverNames.join(',')]);
  const ca = await readFile(join(paths.pki, 'ca.crt'));
  const lines: string[] = [];
  const add = async (path: string, user: string, groups?: string): Promise<void> => {
    const token = randomBytes(24).toString('hex');
    lines.push(`${token},${user},${user}${groups === undefined ? '' : `,"${groups}"`}\n`);
    await writePrivate(path, kubeconfig(ca, user, token));
  };
  for (const { file, user, groups } of users) await add(configPath(`${file}.kubeconfig`), user, groups);
  await add(paths.adminKubeconfig, 'kubernetes-admin', 'system:masters');
  await writePrivate(configPath('tokens.csv'), lines.join(''));
}

function kubeconfig(ca: Buffer, user: string, token: string): string {
  const cluster = { server: apiUrl, 'certificate-authority-data': ca.toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'sluice', cluster }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'sluice', context: { cluster: 'sluice', user } }],
    'current-context': 'sluice',
  });
}
