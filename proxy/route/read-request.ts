/** IncomingRequest × routes → the route that serves it, with the facts that led there. Reads no more of the body than that needs. */
import type { CompiledConfig, CompiledRoute, ValidRoute } from '#contract/compiled.ts';
import { DEFAULT_LISTEN_TIMEOUTS } from '#contract/compiled-listen.ts';
import { ProxyError } from '../errors.ts';
import type { RequestFacts, Tap } from '../exchange.ts';
import type { IncomingRequest } from '../listen/incoming.ts';
import { headerValue, headerValues } from '../listen/raw-headers.ts';
import { agentInPrompt, promptKeys } from './agent-tag.ts';
import { type BodyFact, headMismatch, type MatchFacts, match } from './match.ts';
import type { SendableBody } from './outgoing-body.ts';
import { PEEK_BYTES, RequestBody } from './request-body.ts';

export interface MatchedRequest {
  readonly incoming: IncomingRequest;
  readonly route: ValidRoute;
  readonly facts: RequestFacts;
  readonly body: SendableBody;
}

/** What of the config a match depends on. */
export type MatchRules = Pick<CompiledConfig, 'routes' | 'agentTag' | 'listen'>;

/**
 * @param onFacts told what the match rests on, before it is decided
 * @throws ProxyError no_route, invalid_route, bad_request, too_large; Interruption
 */
export async function matchRequest(
  incoming: IncomingRequest,
  rules: MatchRules,
  tap: Tap,
  onFacts?: (facts: MatchFacts) => void,
): Promise<MatchedRequest> {
  const scan = carriesJson(incoming);
  const body = new RequestBody(incoming.request, {
    scan,
    watch: scan ? watchedKeys(incoming, rules) : [],
    progressMs: (rules.listen.timeouts ?? DEFAULT_LISTEN_TIMEOUTS).bodyMs,
    onChunk: (chunk) => tap.requestChunk(chunk),
  });
  const { scanner } = body;
  if (scan) await body.peek(() => scanner.satisfied, incoming.signal);
  const given = factsOf(incoming, rules, body, scan);
  onFacts?.(given);
  const route = matchRoute(incoming, given, rules.routes);
  const facts: RequestFacts = { model: scanner.model, agent: readValue(given.agent), stream: scanner.stream ?? false };
  tap.matched(route.name, facts);
  if (route.kind === 'invalid') {
    throw new ProxyError('invalid_route', `Repair route "${route.name}" of the StreamProxy: ${route.message}`, {
      route: route.name,
    });
  }
  if (given.model.kind === 'unread' && overridesModel(route)) throw tooFar('"model"', route.name);
  // A second try needs the whole body; a short one of an API is there soon.
  if (mayTryAgain(route) || (scan && body.short)) await body.peek(() => false, incoming.signal);
  return { incoming, route, facts, body };
}

/** Whether a second try can happen, which is what allows us to hold anything back. */
export function mayTryAgain(route: ValidRoute): boolean {
  return route.fallback.length > 0 || route.retry.attemptsPerUpstream > 1;
}

/** The keys of the system prompt, where a route that the head does not rule out asks for an agent whom no header names. */
function watchedKeys({ head, path }: IncomingRequest, { agentTag, routes }: MatchRules): readonly string[] {
  if (!agentTag || headerValue(head.rawHeaders, 'x-agent-name') !== undefined) return [];
  const given = { path, headerValues: (name: string) => headerValues(head.rawHeaders, name) };
  const asked = routes.some(({ match: rule }) => rule.agents.length > 0 && headMismatch(given, rule) === undefined);
  return asked ? promptKeys(head.dialect, path) : [];
}

function factsOf(incoming: IncomingRequest, rules: MatchRules, body: RequestBody, scan: boolean): MatchFacts {
  const { scanner } = body;
  const { rawHeaders } = incoming.head;
  const read = !scan || scanner.satisfied || scanner.model !== undefined || body.whole;
  return {
    path: incoming.path,
    model: read ? { kind: 'read', value: scanner.model } : { kind: 'unread' },
    agent: agentOf(incoming, rules, body),
    headerValues: (name) => headerValues(rawHeaders, name),
  };
}

/** The header wins over the tag. */
function agentOf(incoming: IncomingRequest, { agentTag }: MatchRules, body: RequestBody): BodyFact {
  const named = headerValue(incoming.head.rawHeaders, 'x-agent-name');
  const keys = body.scanner.watched;
  if (named !== undefined || !agentTag || keys.length === 0) return { kind: 'read', value: named };
  const allSeen = body.scanner.finished || body.whole;
  return agentInPrompt(agentTag, keys, (key) => body.peekedValue(key), allSeen);
}

function readValue(fact: BodyFact): string | undefined {
  return fact.kind === 'read' ? fact.value : undefined;
}

function matchRoute(incoming: IncomingRequest, given: MatchFacts, routes: readonly CompiledRoute[]): CompiledRoute {
  const found = match(given, routes);
  if (found.kind === 'needs') {
    throw tooFar(found.what === 'model' ? '"model"' : 'the system prompt', found.route.name);
  }
  if (found.kind === 'matched') return found.route;
  const asked = readValue(given.model);
  const model = asked === undefined ? '' : ` with model "${asked.slice(0, 200)}"`;
  throw new ProxyError(
    'no_route',
    `Add a route to the StreamProxy that matches ${incoming.head.method} "${incoming.path}"${model}; none does`,
  );
}

function overridesModel(route: ValidRoute): boolean {
  return [...route.split, ...route.fallback].some((choice) => choice.model !== undefined);
}

function tooFar(what: string, route: string): ProxyError {
  const message = `Send ${what} within the first ${PEEK_BYTES} bytes of the body; route "${route}" needs it`;
  return new ProxyError('too_large', message, { route, status: 413 });
}

/**
 * A compressed body is opaque to us; it is passed on as it is. On paths of the two dialects the type says little: the APIs
 * take JSON alone, but for uploads, and `curl -d` calls everything a form.
 */
function carriesJson({ head }: IncomingRequest): boolean {
  if (head.method === 'GET' || head.method === 'HEAD') return false;
  if (headerValue(head.rawHeaders, 'content-encoding') !== undefined) return false;
  const type = headerValue(head.rawHeaders, 'content-type');
  if (head.dialect !== 'raw') return type === undefined || !/^\s*multipart\//i.test(type);
  if (type === undefined) return false;
  return /^\s*application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(type);
}
