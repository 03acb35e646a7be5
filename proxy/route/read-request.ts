/** IncomingRequest × routes → the route that serves it, with the facts that led there. Reads no more of the body than that needs. */
import type { CompiledRoute, ValidRoute } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import type { RequestFacts, Tap } from '../exchange.ts';
import type { IncomingRequest } from '../listen/incoming.ts';
import { headerValue, headerValues } from '../listen/raw-headers.ts';
import { type MatchFacts, match } from './match.ts';
import { PEEK_BYTES, RequestBody } from './request-body.ts';

export interface MatchedRequest {
  readonly incoming: IncomingRequest;
  readonly route: ValidRoute;
  readonly facts: RequestFacts;
  readonly body: RequestBody;
}

/** @throws ProxyError no_route, invalid_route, bad_request, too_large; Interruption */
export async function matchRequest(
  incoming: IncomingRequest,
  routes: readonly CompiledRoute[],
  tap: Tap,
): Promise<MatchedRequest> {
  const scan = carriesJson(incoming);
  const body = new RequestBody(incoming.request, { scan, onChunk: (chunk) => tap.requestChunk(chunk) });
  const { scanner } = body;
  if (scan) await body.peek(() => scanner.satisfied, incoming.signal);
  const read = !scan || scanner.satisfied || scanner.model !== undefined || body.whole;
  const facts: RequestFacts = {
    model: scanner.model,
    agent: headerValue(incoming.head.rawHeaders, 'x-agent-name'),
    stream: scanner.stream ?? false,
  };
  const route = matchRoute(incoming, facts, read, routes);
  tap.matched(route.name, facts);
  if (route.kind === 'invalid') {
    throw new ProxyError('invalid_route', `Repair route "${route.name}" of the StreamProxy: ${route.message}`, {
      route: route.name,
    });
  }
  if (scan && !read && overridesModel(route)) throw modelTooFar(route.name);
  // A second try needs the whole body.
  if (mayTryAgain(route)) await body.peek(() => false, incoming.signal);
  return { incoming, route, facts, body };
}

/** Whether a second try can happen, which is what allows us to hold anything back. */
export function mayTryAgain(route: ValidRoute): boolean {
  return route.fallback.length > 0 || route.retry.attemptsPerUpstream > 1;
}

function matchRoute(
  incoming: IncomingRequest,
  facts: RequestFacts,
  read: boolean,
  routes: readonly CompiledRoute[],
): CompiledRoute {
  const given: MatchFacts = {
    path: incoming.path,
    model: read ? { kind: 'read', value: facts.model } : { kind: 'unread' },
    agent: facts.agent,
    headerValues: (name) => headerValues(incoming.head.rawHeaders, name),
  };
  const found = match(given, routes);
  if (found.kind === 'needs_model') throw modelTooFar(found.route.name);
  if (found.kind === 'matched') return found.route;
  const model = facts.model === undefined ? '' : ` with model "${facts.model.slice(0, 200)}"`;
  throw new ProxyError(
    'no_route',
    `Add a route to the StreamProxy that matches ${incoming.head.method} "${incoming.path}"${model}; none does`,
  );
}

function overridesModel(route: ValidRoute): boolean {
  return [...route.split, ...route.fallback].some((choice) => choice.model !== undefined);
}

function modelTooFar(route: string): ProxyError {
  const message = `Send "model" within the first ${PEEK_BYTES} bytes of the body; route "${route}" needs it`;
  return new ProxyError('too_large', message, { route, status: 413 });
}

/** A compressed body is opaque to us; it is passed on as it is. */
function carriesJson({ head }: IncomingRequest): boolean {
  if (head.method === 'GET' || head.method === 'HEAD') return false;
  if (headerValue(head.rawHeaders, 'content-encoding') !== undefined) return false;
  const type = headerValue(head.rawHeaders, 'content-type');
  if (type === undefined) return head.dialect !== 'raw';
  return /^\s*application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(type);
}
