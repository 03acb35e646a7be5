/**
 * Log lines about one exchange: which route and why not an earlier one, the plan, each attempt, the answer, the end, with
 * times. Names, statuses and times only: never a body, never a header's value.
 */
import type { CompiledRoute } from '#contract/compiled.ts';
import type { Tap } from '../exchange.ts';
import type { IncomingRequest } from '../listen/incoming.ts';
import type { Logger } from '../log/logger.ts';
import { type MatchFacts, mismatch } from '../route/match.ts';
import type { Plan } from '../upstream/choose.ts';

/** Of a name that a caller chose so much is shown. */
const MOST_NAME_CHARS = 200;

export class DebugLines {
  readonly #incoming: IncomingRequest;
  readonly #logger: Logger;

  constructor(incoming: IncomingRequest, logger: Logger) {
    this.#incoming = incoming;
    this.#logger = logger;
    const { method, dialect } = incoming.head;
    this.#write('received', { method, path: incoming.path, dialect });
  }

  /** What the match rests on, and what kept each route before the one that matched from doing so. */
  facts(facts: MatchFacts, routes: readonly CompiledRoute[]): void {
    const passedOver: { route: string; because: string }[] = [];
    for (const route of routes) {
      const because = mismatch(facts, route.match);
      if (because === undefined) break;
      passedOver.push({ route: route.name, because });
    }
    const { agent, model } = facts;
    this.#write('facts', {
      model: model.kind === 'read' ? (model.value?.slice(0, MOST_NAME_CHARS) ?? null) : 'unread',
      agent: agent.kind === 'read' ? (agent.value?.slice(0, MOST_NAME_CHARS) ?? null) : 'unread',
      passedOver,
    });
  }

  plan({ candidates }: Plan): void {
    this.#write('planned', {
      candidates: candidates.map(({ upstream, model }) => ({ upstream: upstream.name, ...(model && { model }) })),
    });
  }

  /** The same tap, with a line for what it is told. */
  along(tap: Tap): Tap {
    return {
      matched: (route, facts) => {
        this.#write('matched', { route, stream: facts.stream });
        tap.matched(route, facts);
      },
      toolCalled: (call) => {
        this.#write('tool called', {
          tool: call.tool,
          outcome: call.outcome,
          tookMs: round(call.endedAt - call.startedAt),
        });
        tap.toolCalled(call);
      },
      attempted: (attempt) => {
        const { endedAt, startedAt, ...shown } = attempt;
        this.#write('attempted', { ...shown, tookMs: round(endedAt - startedAt) });
        tap.attempted(attempt);
      },
      answered: (head) => {
        this.#write('answered', { upstream: head.upstream, dialect: head.upstreamDialect, status: head.status });
        tap.answered(head);
      },
      delivered: (heldMs) => {
        this.#write('delivered', { heldMs: round(heldMs) });
        tap.delivered(heldMs);
      },
      ended: (end, status) => {
        this.#write('ended', { end: end.kind, side: end.side, detail: end.detail, status });
        tap.ended(end, status);
      },
      requestChunk: (chunk) => tap.requestChunk(chunk),
      answerChunk: (chunk, from, to) => tap.answerChunk(chunk, from, to),
      verdict: () => tap.verdict(),
    };
  }

  #write(step: string, fields: Record<string, unknown>): void {
    const { id, receivedAt } = this.#incoming.head;
    this.#logger.info('Debug', { exchange: id, step, atMs: round(performance.now() - receivedAt), ...fields });
  }
}

/** To the microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
