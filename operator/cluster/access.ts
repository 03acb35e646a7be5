/** How to reach the API server and prove who we are. The only file that imports @kubernetes/client-node: its kubeconfig and credentials, not its requests. */
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { createLimiter, type Limiter } from '../limiter.ts';
import { Multiplexer } from './multiplex.ts';

/**
 * TLS and credentials of one request. Asked for each request, as tokens rotate.
 */
export interface Access {
  /** Scheme, host and port. */
  readonly server: URL;
  options(): Promise<RequestOptions>;
  /** Every short request runs in it; those beyond the bound wait here, where they cost neither a connection nor their time limit. */
  readonly limit: Limiter;
  /** For answers that last; undefined: each on a connection of its own. */
  readonly multiplexer?: Multiplexer;
}

/** Credentials are files that the kubelet renews some minutes before they end; reading them each time would cost more than the request. */
const CREDENTIALS_TTL_MS = 20_000;
/**
 * Short requests at the same time, and so connections. A burst of resources would otherwise open one for each of its
 * requests, and the handshakes alone keep an API server busy for longer than a lease lasts.
 */
export const REQUESTS_AT_ONCE = 16;

/**
 * Each has connections and a bound of its own: what must not wait for other requests takes an access of its own.
 *
 * In a pod: its service account. Elsewhere: KUBECONFIG or ~/.kube/config.
 * @param kubeconfig path of a kubeconfig to use instead
 */
export function loadAccess(kubeconfig?: string): Access {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('Cannot find a cluster to talk to; run in a pod, or set KUBECONFIG');
  // An agent of our own: that of KubeConfig closes each connection after one request, its fetch dispatcher is made anew for each.
  const agent = new HttpsAgent({ keepAlive: true, maxFreeSockets: REQUESTS_AT_ONCE, scheduling: 'lifo' });
  const server = new URL(cluster.server);
  let cached: { readonly options: RequestOptions; readonly untilMs: number } | undefined;
  return {
    server,
    limit: createLimiter(REQUESTS_AT_ONCE),
    // A proxy in between is reached by the agent alone.
    ...(server.protocol === 'https:' && cluster.proxyUrl === undefined && { multiplexer: new Multiplexer(server) }),
    async options() {
      if (cached && performance.now() < cached.untilMs) return cached.options;
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      if (cluster.proxyUrl === undefined) options.agent = agent;
      cached = { options, untilMs: performance.now() + CREDENTIALS_TTL_MS };
      return options;
    },
  };
}
