// Asks the API server as its admin. Only what boot and status want to know; tests bring their own client.
import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { paths } from './settings.ts';

interface Access {
  server: string;
  ca: Buffer;
  token: string;
}

async function readAccess(): Promise<Access> {
  const config = JSON.parse(await readFile(paths.adminKubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: [{ user: { token: string } }];
  };
  const { cluster } = config.clusters[0];
  const ca = Buffer.from(cluster['certificate-authority-data'], 'base64');
  return { server: cluster.server, ca, token: config.users[0].user.token };
}

/** Body of a GET; undefined when the server is not there or answers anything but 200. */
export async function apiGet(path: string, timeoutMs = 5000): Promise<string | undefined> {
  const access = await readAccess().catch(() => undefined);
  if (access === undefined) return undefined;
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${access.token}` };
    const request = get(`${access.server}${path}`, { ca: access.ca, headers, timeout: timeoutMs, agent: false });
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', () => resolve(undefined));
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('error', () => resolve(undefined));
      response.once('end', () => resolve(response.statusCode === 200 ? text : undefined));
    });
  });
}

/** True when the API server says of itself that it is ready. */
export async function isApiReady(): Promise<boolean> {
  return (await apiGet('/readyz')) === 'ok';
}

/** True when the node's condition Ready holds. */
export async function isNodeReady(): Promise<boolean> {
  const text = await apiGet('/api/v1/nodes');
  if (text === undefined) return false;
  const list = JSON.parse(text) as { items: { status: { conditions?: { type: string; status: string }[] } }[] };
  const isReady = (each: { type: string; status: string }): boolean => each.type === 'Ready' && each.status === 'True';
  return list.items.some((node) => node.status.conditions?.some(isReady) ?? false);
}

/** True when pods can be made in the default namespace: its ServiceAccount exists. */
export async function hasDefaultAccount(): Promise<boolean> {
  return (await apiGet('/api/v1/namespaces/default/serviceaccounts/default')) !== undefined;
}
