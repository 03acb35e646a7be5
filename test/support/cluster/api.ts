/** The API server by plain HTTP, through `kubectl proxy`: for tests that must not wait for kubectl to start. */
import type { Cluster } from '../../cluster/machine/cluster.ts';
import { followLines } from './follow.ts';

export interface Api {
  readonly url: string;
  mergePatch(path: string, body: unknown): Promise<void>;
  end(): Promise<void>;
}

/** Opens a loopback door to the API server as the kubeconfig's user. */
export async function openApi(cluster: Cluster): Promise<Api> {
  const proxy = followLines([cluster.kubectl, '--kubeconfig', cluster.kubeconfig, 'proxy', '--port=0']);
  const line = await proxy.next();
  const address = /127\.0\.0\.1:[0-9]+/.exec(line)?.[0];
  if (address === undefined) throw new Error(`kubectl proxy did not say where it listens: ${line}`);
  const url = `http://${address}`;
  return {
    url,
    mergePatch: async (path, body) => {
      const headers = { 'content-type': 'application/merge-patch+json' };
      const response = await fetch(url + path, { method: 'PATCH', headers, body: JSON.stringify(body) });
      const text = await response.text();
      if (!response.ok) throw new Error(`PATCH ${path} gave ${response.status}: ${text}`);
    },
    end: () => proxy.end(),
  };
}
