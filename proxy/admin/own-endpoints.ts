/** Our own endpoints on the listen port, for people and programs of the pod: /health, /gateway/health, /gateway/providers, and the search. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KeptRecords } from '../log/audit/archive.ts';
import type { UpstreamState } from '../upstream/health.ts';
import { serveAudit } from './audit/audit-endpoints.ts';
import type { ProxyStatus } from './status.ts';

export interface OwnEndpointsOptions {
  readonly status: ProxyStatus;
  /** State of each upstream of the config in force. */
  providers(): readonly Provider[];
  /** Kept records, while the config asks for them. @default none */
  archive?(): KeptRecords | undefined;
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
    const refused = refuse(request);
    if (refused === undefined && serveAudit(request.url ?? '', options.archive?.(), request, response)) return true;
    const [code, body] = refused ?? answer(path, options);
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

function refuse({ headers, method }: IncomingMessage): [number, unknown] | undefined {
  if (!LOOPBACK_HOST.test(headers.host ?? '')) return [403, refusal('Ask by a loopback name such as localhost')];
  return method === 'GET' || method === 'HEAD' ? undefined : [405, refusal('Use GET')];
}

function answer(path: string, options: OwnEndpointsOptions): [number, unknown] {
  const { status } = options;
  switch (path) {
    case '/health':
      return [status.ready ? 200 : 503, { status: status.state }];
    case '/gateway/health':
      return [
        status.ready ? 200 : 503,
        {
          status: status.state,
          ...status.describe(),
          upstreams: options.providers(),
          targets: status.targets,
        },
      ];
    case '/gateway/providers':
      return [200, { providers: options.providers() }];
    default:
      return [404, refusal(nothingHere(path))];
  }
}

function nothingHere(path: string): string {
  const isAudit = path === '/gateway' || path === '/gateway/' || path.startsWith('/gateway/audit');
  return isAudit
    ? 'No records are kept for search; set logging.audit.enabled in the StreamProxy'
    : 'Only /gateway/health, /gateway/providers and, where records are kept, /gateway/audit and /gateway/ are here';
}

function refusal(message: string): unknown {
  return { error: { message: `Sluice: ${message}`, type: 'invalid_request_error', code: 'own_endpoint', param: null } };
}
