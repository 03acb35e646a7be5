/** Our own endpoints on the listen port, for people and programs of the pod: /health, /gateway/health and /gateway/providers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UpstreamState } from '../upstream/health.ts';
import type { ProxyStatus } from './status.ts';

export interface OwnEndpointsOptions {
  readonly status: ProxyStatus;
  /** State of each upstream of the config in force. */
  providers(): readonly Provider[];
}

/** One upstream as people see it. */
export type Provider =
  | (UpstreamState & { readonly dialect: string; readonly origin: string })
  | { readonly upstream: string; readonly state: 'invalid'; readonly message: string };

/** A name that a foreign page could resolve to the loopback is no name of ours. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?$/i;

/** @returns what serves a request when it is for us, and says whether it was */
export function ownEndpoints(
  options: OwnEndpointsOptions,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path !== '/health' && path !== '/gateway' && !path.startsWith('/gateway/')) return false;
    const [code, body] = answer(request, path, options);
    const text = JSON.stringify(body);
    request.resume();
    response.writeHead(code, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    });
    response.end(text);
    return true;
  };
}

function answer({ headers, method }: IncomingMessage, path: string, options: OwnEndpointsOptions): [number, unknown] {
  const { status } = options;
  if (!LOOPBACK_HOST.test(headers.host ?? '')) return [403, refusal('Ask by a loopback name such as localhost')];
  if (method !== 'GET' && method !== 'HEAD') return [405, refusal('Use GET')];
  switch (path) {
    case '/health':
      return [status.ready ? 200 : 503, { status: status.state }];
    case '/gateway/health':
      return [status.ready ? 200 : 503, { status: status.state, ...status.describe(), upstreams: options.providers() }];
    case '/gateway/providers':
      return [200, { providers: options.providers() }];
    default:
      return [404, refusal('Only /gateway/health and /gateway/providers are here')];
  }
}

function refusal(message: string): unknown {
  return { error: { message: `Sluice: ${message}`, type: 'invalid_request_error', code: 'own_endpoint', param: null } };
}
