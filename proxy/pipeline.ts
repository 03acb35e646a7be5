/** The request's way, stage by stage. Whoever wants to know what happens to a request reads this file from top to bottom. */

import type { Snapshot, Snapshots } from './config/snapshot.ts';
import { attempt, type UpstreamAnswer } from './dispatch/attempt.ts';
import { decoderFor } from './dispatch/decompress.ts';
import { dispatch } from './dispatch/fallback.ts';
import { answerHeaders } from './dispatch/headers.ts';
import { upstreamRequest } from './dispatch/upstream-request.ts';
import type { OpenTap, Tap } from './exchange.ts';
import { guard } from './listen/guard.ts';
import type { IncomingRequest } from './listen/incoming.ts';
import { headerValue } from './listen/raw-headers.ts';
import { rescue } from './listen/rescue.ts';
import type { Logger } from './log/logger.ts';
import { type MatchedRequest, matchRequest } from './route/read-request.ts';
import type { StreamEnd } from './stream/end.ts';
import { pump } from './stream/pump.ts';
import { scannerFor } from './stream/scan.ts';
import { choose } from './upstream/choose.ts';
import type { Health } from './upstream/health.ts';

export interface PipelineOptions {
  readonly snapshots: Snapshots;
  readonly health: Health;
  readonly openTap: OpenTap;
  readonly logger: Logger;
}

/** How an exchange was served, as far as it came; for `sluice-explain`. */
interface Trace {
  route?: string;
  upstream?: string;
  attempts?: number;
}

/** Serves one request to its end. Never rejects. */
export async function serve(incoming: IncomingRequest, options: PipelineOptions): Promise<void> {
  // First of all, so that refused requests are accounted for as well; the record's opening is written here.
  const tap = options.openTap(incoming.head);
  const trace: Trace = {};
  let snapshot: Snapshot | undefined;
  try {
    guard(incoming.request);
    // Held to the end of the exchange: a new config changes nothing for what is under way.
    snapshot = options.snapshots.acquire();
    const request = await matchRequest(incoming, snapshot.config.routes, tap);
    trace.route = request.route.name;
    const end = await serveMatched(request, snapshot, tap, trace, options);
    tap.ended(end, incoming.client.status);
  } catch (error) {
    const { end, status } = await rescue(error, incoming, explain(incoming, trace), options.logger);
    tap.ended(end, status);
  } finally {
    snapshot?.release();
  }
}

async function serveMatched(
  request: MatchedRequest,
  snapshot: Snapshot,
  tap: Tap,
  trace: Trace,
  { health }: PipelineOptions,
): Promise<StreamEnd> {
  const { incoming, route, body } = request;
  const { client, head, signal } = incoming;
  const { stickyHeader } = route;
  // Which upstreams, in which order; from here on the request is the plan's.
  const plan = choose(route, {
    upstreams: snapshot.upstreams,
    available: (name) => health.available(name),
    stickyKey: stickyHeader === undefined ? undefined : headerValue(head.rawHeaders, stickyHeader),
    random: Math.random(),
  });
  trace.upstream = plan.candidates[0].upstream.name;
  // Tries until one answers; nothing has been sent to the client yet.
  const { answer, heldMs, attempts, exhausted } = await dispatch(plan, request, {
    tap,
    health,
    scannerFor,
    send: (candidate, limit) => {
      trace.upstream = candidate.upstream.name;
      trace.attempts = (trace.attempts ?? 0) + 1;
      return attempt(
        snapshot.pool(candidate.upstream),
        candidate.upstream,
        upstreamRequest(request, candidate, snapshot.credentials),
        {
          signal: limit,
          inform: (status, rawHeaders) => client.inform(status, rawHeaders),
        },
      );
    },
  });
  Object.assign(trace, { upstream: answer.upstream.name, attempts });
  const decoder = bodiless(head.method, answer) ? undefined : decoderFor(answer.rawHeaders, head.rawHeaders);
  const added = explain(incoming, trace);
  // From the first byte on there is one way only: this answer, to its end.
  const rawHeaders = answerHeaders(answer.rawHeaders, { decoded: decoder !== undefined, exhausted, added });
  const end = await pump({ answer, rawHeaders, client, tap, signal, heldMs, decoder });
  body.fail(new Error('The exchange is over'));
  learn(health, answer, end);
  return end;
}

/** A stream that broke after a good beginning counts against its upstream; one that we or the client ended does not. */
function learn(health: Health, { upstream, status }: UpstreamAnswer, { kind, detail }: StreamEnd): void {
  if (kind === 'upstream_cut' || kind === 'upstream_error') health.failed(upstream.name, detail ?? kind);
  else if (kind === 'complete' && status < 500) health.succeeded(upstream.name);
}

function bodiless(method: string, { status }: UpstreamAnswer): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

function explain({ explain: asked }: IncomingRequest, trace: Trace): string[] {
  if (!asked) return [];
  const headers: string[] = [];
  if (trace.route !== undefined) headers.push('sluice-route', trace.route);
  if (trace.upstream !== undefined) headers.push('sluice-upstream', trace.upstream);
  if (trace.attempts !== undefined) headers.push('sluice-attempts', String(trace.attempts));
  return headers;
}
