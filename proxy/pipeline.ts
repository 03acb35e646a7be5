/** The request's way, stage by stage. Whoever wants to know what happens to a request reads this file from top to bottom. */

import type { Snapshot, Snapshots } from './config/snapshot.ts';
import type { UpstreamAnswer } from './dispatch/attempt.ts';
import { decoderFor } from './dispatch/decompress.ts';
import { type Dispatched, dispatch } from './dispatch/fallback.ts';
import { answerHeaders } from './dispatch/headers.ts';
import { gatherWhole, send } from './dispatch/send.ts';
import type { OpenTap, Tap } from './exchange.ts';
import { answerPreflight } from './listen/cors.ts';
import type { Trace } from './listen/explain.ts';
import { guard } from './listen/guard.ts';
import type { IncomingRequest } from './listen/incoming.ts';
import { headerValue } from './listen/raw-headers.ts';
import type { Reception, Visit } from './listen/reception.ts';
import { rescue } from './listen/rescue.ts';
import type { Logger } from './log/logger.ts';
import type { Metrics } from './observe/meters.ts';
import { paceFor } from './pacing/pace-stream.ts';
import { type MatchedRequest, matchRequest } from './route/read-request.ts';
import type { StreamEnd } from './stream/end.ts';
import { keepAliveFor } from './stream/keep-alive.ts';
import { pump } from './stream/pump.ts';
import { scannerFor } from './stream/scan.ts';
import type { ToolLoopMeters } from './tools/rounds.ts';
import { type AskedLoop, serveToolLoop, toolLoopOf } from './tools/serve-tool-loop.ts';
import type { Toolboxes } from './tools/toolboxes.ts';
import { choose } from './upstream/choose.ts';
import type { Health } from './upstream/health.ts';
import { withMappedModels } from './upstream/map-model.ts';

export interface PipelineOptions {
  readonly snapshots: Snapshots;
  readonly health: Health;
  readonly openTap: OpenTap;
  readonly reception: Reception;
  readonly toolboxes: Toolboxes;
  readonly metrics: Pick<Metrics, 'translationLost' | keyof ToolLoopMeters>;
  readonly logger: Logger;
}

/** Serves one request to its end. Never rejects. */
export async function serve(incoming: IncomingRequest, options: PipelineOptions): Promise<void> {
  // First of all, so that refused requests are accounted for as well; the record's opening is written here.
  let tap = options.openTap(incoming.head);
  const trace: Trace = {};
  let snapshot: Snapshot | undefined;
  let visit: Visit | undefined;
  let request: MatchedRequest | undefined;
  try {
    guard(incoming.request);
    // A gateway serves those that it knows.
    if (incoming.refusal) throw incoming.refusal;
    // Held to the end of the exchange: a new config changes nothing for what is under way.
    snapshot = options.snapshots.acquire();
    const { config } = snapshot;
    // What the listener decides by itself: too many at once, CORS, who asked for debug lines.
    visit = options.reception.receive(incoming, config.listen);
    const { debug } = visit;
    if (debug) tap = debug.along(tap);
    visit.enter();
    if (visit.preflight) {
      tap.ended(await answerPreflight(incoming, visit.preflight), incoming.client.status);
      return;
    }
    request = await matchRequest(incoming, config, tap, (facts) => debug?.facts(facts, config.routes));
    trace.route = request.route.name;
    const end = await serveMatched(request, { snapshot, tap, trace, visit, random: Math.random() }, options);
    tap.ended(end, incoming.client.status);
  } catch (error) {
    options.reception.failed(error);
    const { end, status } = await rescue(error, incoming, visit?.added(trace) ?? [], options.logger);
    tap.ended(end, status);
  } finally {
    request?.body.fail(new Error('The exchange is over'));
    visit?.leave();
    snapshot?.release();
  }
}

/** What stays the same while one exchange is served, however many turns of the model it takes. */
interface Course {
  readonly snapshot: Snapshot;
  readonly tap: Tap;
  readonly trace: Trace;
  readonly visit: Visit;
  /** From 0 to below 1, drawn once: the turns of one exchange stay on one upstream of a split. */
  readonly random: number;
}

async function serveMatched(request: MatchedRequest, course: Course, options: PipelineOptions): Promise<StreamEnd> {
  const { incoming } = request;
  const { client, head, signal } = incoming;
  const { tap, trace, visit } = course;
  // A route with tools of ours takes several turns of the model for one answer.
  const loop = toolLoopOf(request);
  const { answer, heldMs, exhausted } = await (loop
    ? loopTurns(request, loop, course, options)
    : turn(request, course, options));
  const decoder = bodiless(head.method, answer) ? undefined : decoderFor(answer.rawHeaders, head.rawHeaders);
  const added = visit.added(trace);
  // From the first byte on there is one way only: this answer, to its end.
  const cleaned = visit.cleaned(answer.rawHeaders);
  const rawHeaders = answerHeaders(cleaned, { decoded: decoder !== undefined, exhausted, added });
  const native = loop === undefined && answer.dialect === answer.upstream.dialect;
  const { pacing } = request.route;
  const pace = paceFor({ pacing, path: incoming.path, rawHeaders: answer.rawHeaders, native });
  // What is paced may be held in the middle of an event, where no ping may go.
  const keepAlive = pace ? undefined : keepAliveFor(request, answer, { client, tap });
  const stages = { decoder: decoder ?? pace, pace, keepAlive };
  const end = await pump({ answer, rawHeaders, client, tap, signal, heldMs, ...stages });
  learn(options.health, answer, end);
  return end;
}

/** Turns of the model, with the calls of our tools between them, as one answer. */
async function loopTurns(
  request: MatchedRequest,
  loop: AskedLoop,
  course: Course,
  options: PipelineOptions,
): Promise<Dispatched> {
  let first: Dispatched | undefined;
  const answer = await serveToolLoop(request, loop, {
    toolboxes: options.toolboxes,
    meters: options.metrics,
    credentials: course.snapshot.credentials,
    called: ({ argumentsText: _arguments, ...call }) => course.tap.toolCalled(call),
    turn: async (next) => {
      const dispatched = await turn(next, course, options);
      first ??= dispatched;
      return dispatched.answer;
    },
  });
  return { heldMs: 0, attempts: 1, exhausted: false, ...first, answer };
}

/** One request to the model, until there is an answer in the client's own dialect; nothing was sent to the client yet. */
async function turn(
  request: MatchedRequest,
  { snapshot, tap, trace, visit, random }: Course,
  { health, metrics, reception }: PipelineOptions,
): Promise<Dispatched> {
  const { incoming, route } = request;
  const { stickyHeader } = route;
  // Which upstreams, in which order; from here on the request is the plan's.
  const chosen = choose(route, {
    upstreams: snapshot.upstreams,
    available: (name) => health.available(name),
    atLimit: reception.atLimit,
    stickyKey: stickyHeader === undefined ? undefined : headerValue(incoming.head.rawHeaders, stickyHeader),
    random,
  });
  const plan = withMappedModels(chosen, request.facts.model);
  visit.debug?.plan(plan);
  trace.upstream = plan.candidates[0].upstream.name;
  await gatherWhole(request, plan, snapshot.config);
  // Tries until one answers.
  const dispatched = await dispatch(plan, request, {
    tap,
    health,
    scannerFor,
    send: (candidate, signal) => {
      trace.upstream = candidate.upstream.name;
      trace.attempts = (trace.attempts ?? 0) + 1;
      visit.place.move(candidate.upstream);
      return send(request, candidate, { snapshot, signal, lost: metrics.translationLost });
    },
  });
  Object.assign(trace, { upstream: dispatched.answer.upstream.name, attempts: dispatched.attempts });
  return dispatched;
}

/** A stream that broke after a good beginning counts against its upstream; one that we or the client ended does not. */
function learn(health: Health, { upstream, status }: UpstreamAnswer, { kind, detail }: StreamEnd): void {
  if (kind === 'upstream_cut' || kind === 'upstream_error') health.failed(upstream.name, detail ?? kind);
  else if (kind === 'complete' && status < 500) health.succeeded(upstream.name);
}

function bodiless(method: string, { status }: UpstreamAnswer): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}
