/**
 * Plan → the answer for the client: retries and the next candidate, only while nothing was sent to the client. When every
 * try failed, the last answer that an upstream really gave is the client's; our own error only if there was none.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Dialect, isServable } from '#contract/dialect.ts';
import { ProxyError } from '../errors.ts';
import type { AttemptOutcome, Tap } from '../exchange.ts';
import { type MatchedRequest, mayTryAgain } from '../route/read-request.ts';
import type { StreamScanner } from '../stream/scan.ts';
import type { Candidate, Plan } from '../upstream/choose.ts';
import type { Health } from '../upstream/health.ts';
import type { UpstreamAnswer } from './attempt.ts';
import { gate, MAX_HOLD_MS } from './gate.ts';
import { broke, detailOf, healthFailure, isUpstreamsFault, outcomeOf, untranslatable } from './outcome.ts';
import { backoffMs, forbidsRetry, isRefusal } from './retry.ts';

export interface DispatchContext {
  readonly tap: Tap;
  readonly health: Health;
  /** One try: the request as this candidate gets it, sent through its pool. */
  send(candidate: Candidate, signal: AbortSignal): Promise<UpstreamAnswer>;
  scannerFor(dialect: Dialect, path: string, rawHeaders: readonly string[]): StreamScanner;
}

export interface Dispatched {
  readonly answer: UpstreamAnswer;
  /** How long its first byte was held back. */
  readonly heldMs: number;
  readonly attempts: number;
  /** It is a failure, and our own tries are spent. */
  readonly exhausted: boolean;
}

/** @throws ProxyError, or the Interruption that ended the exchange */
export function dispatch(plan: Plan, request: MatchedRequest, context: DispatchContext): Promise<Dispatched> {
  const client = request.incoming.head.dialect;
  const [first] = plan.candidates;
  const { path } = request.incoming;
  if (!isServable(client, first.upstream.dialect, path)) throw untranslatable(client, path, first, request.route.name);
  const candidates = plan.candidates.filter(({ upstream }) => isServable(client, upstream.dialect, path));
  return new Chain(candidates, request, context).run();
}

/** What came of one try that is not to be passed on. */
interface Failure {
  /** Undefined when no answer came. */
  readonly answer: UpstreamAnswer | undefined;
  readonly error: ProxyError;
}

class Chain {
  readonly #candidates: readonly Candidate[];
  readonly #request: MatchedRequest;
  readonly #context: DispatchContext;
  readonly #mayTryAgain: boolean;
  readonly #deadlineMs: number;
  #signal: AbortSignal;
  #attempts = 0;
  #kept: { answer: UpstreamAnswer; sinceMs: number } | undefined;

  constructor(candidates: readonly Candidate[], request: MatchedRequest, context: DispatchContext) {
    this.#candidates = candidates;
    this.#request = request;
    this.#context = context;
    this.#signal = request.incoming.signal;
    const { attemptsPerUpstream, withinMs } = request.route.retry;
    this.#mayTryAgain = mayTryAgain(request.route) && (candidates.length > 1 || attemptsPerUpstream > 1);
    this.#deadlineMs = this.#mayTryAgain && withinMs > 0 ? performance.now() + withinMs : Number.POSITIVE_INFINITY;
  }

  async run(): Promise<Dispatched> {
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return this.#tryAll();
    const { name, retry } = this.#request.route;
    const limit = new AbortController();
    const late = new ProxyError(
      'upstream_timeout',
      `Route "${name}" passed its limit retry.within of ${retry.withinMs} ms`,
      { route: name, exhausted: true },
    );
    const timer = setTimeout(() => limit.abort(late), retry.withinMs);
    this.#signal = AbortSignal.any([this.#signal, limit.signal]);
    try {
      return await this.#tryAll();
    } finally {
      clearTimeout(timer);
    }
  }

  async #tryAll(): Promise<Dispatched> {
    try {
      let failure: Failure | undefined;
      for (const [index, candidate] of this.#candidates.entries()) {
        const passed = await this.#tryOne(candidate, index === this.#candidates.length - 1);
        if ('attempts' in passed) return passed;
        failure = passed;
        if (!this.#request.body.replayable || this.#leftMs() <= 0) break;
      }
      throw this.#spent(failure);
    } catch (error) {
      return this.#lastAnswer(error);
    }
  }

  /** Every try at one candidate. */
  async #tryOne(candidate: Candidate, isLastCandidate: boolean): Promise<Dispatched | Failure> {
    const limit = this.#request.route.retry.attemptsPerUpstream;
    for (let failures = 1; ; failures += 1) {
      const isLast = isLastCandidate && failures >= limit;
      const tried = await this.#try(candidate, isLast || !this.#mayTryAgain || !this.#request.body.replayable);
      if ('attempts' in tried) return tried;
      const rawHeaders = tried.answer?.rawHeaders ?? [];
      if (failures >= limit || forbidsRetry(rawHeaders) || !this.#request.body.replayable) return tried;
      const waitMs = backoffMs(failures, rawHeaders, Math.random(), Date.now());
      if (waitMs > this.#leftMs()) return tried;
      await this.#wait(waitMs);
    }
  }

  /** @param isLast nothing could follow, so nothing is held back and whatever comes is passed on */
  async #try(candidate: Candidate, isLast: boolean): Promise<Dispatched | Failure> {
    const { upstream, model } = candidate;
    const startedAt = performance.now();
    this.#attempts += 1;
    this.#context.health.started(upstream.name);
    const note = (outcome: AttemptOutcome, status?: number, detail?: string): void => {
      this.#context.health.attempted(
        upstream.name,
        healthFailure(outcome, status, detail, this.#request.incoming.path),
      );
      this.#context.tap.attempted({
        upstream: upstream.name,
        ...(model !== undefined && { model }),
        startedAt,
        endedAt: performance.now(),
        outcome,
        ...(status !== undefined && { status }),
        ...(detail !== undefined && { detail }),
      });
    };
    let answer: UpstreamAnswer;
    try {
      answer = await this.#context.send(candidate, this.#signal);
    } catch (error) {
      note(outcomeOf(error), undefined, detailOf(error));
      if (error instanceof ProxyError && isUpstreamsFault(error)) return { answer: undefined, error };
      throw error;
    }
    return this.#judge(answer, isLast, note);
  }

  async #judge(
    answer: UpstreamAnswer,
    isLast: boolean,
    note: (outcome: AttemptOutcome, status?: number, detail?: string) => void,
  ): Promise<Dispatched | Failure> {
    const refused = isRefusal(answer.status, answer.rawHeaders);
    if (refused || answer.status >= 500) {
      note('refused', answer.status, `status ${answer.status}`);
      if (isLast || !refused) return this.#pass(answer, 0, refused && this.#mayTryAgain);
      return this.#keep(answer, `answered ${answer.status}`);
    }
    if (isLast) {
      note('answered', answer.status);
      return this.#pass(answer, 0, false);
    }
    const opened = await this.#gate(answer, note);
    switch (opened.kind) {
      case 'open':
        note('answered', answer.status);
        return this.#pass(answer, opened.heldMs, false);
      case 'refused':
        note('refused', answer.status, opened.detail);
        return this.#keep(answer, `sent "${opened.detail}" before any content`);
      case 'broke':
        note('broke', answer.status, opened.detail);
        answer.body.abort(new Error('Broken before any content'));
        return { answer: undefined, error: broke(answer, opened.detail) };
    }
  }

  async #gate(answer: UpstreamAnswer, note: (outcome: AttemptOutcome, status?: number) => void) {
    const { incoming } = this.#request;
    try {
      return await gate(answer, {
        dialect: answer.dialect,
        path: incoming.path,
        maxHoldMs: Math.min(MAX_HOLD_MS, this.#leftMs()),
        signal: incoming.signal,
        scannerFor: (dialect, path, rawHeaders) => this.#context.scannerFor(dialect, path, rawHeaders),
      });
    } catch (error) {
      note('cancelled', answer.status);
      answer.body.abort(error as Error);
      throw error;
    }
  }

  #pass(answer: UpstreamAnswer, heldMs: number, exhausted: boolean): Dispatched {
    this.#drop();
    return { answer, heldMs, attempts: this.#attempts, exhausted };
  }

  /** Its body goes on arriving meanwhile, up to a bound. */
  #keep(answer: UpstreamAnswer, what: string): Failure {
    this.#drop();
    this.#kept = { answer, sinceMs: performance.now() };
    return { answer, error: broke(answer, what) };
  }

  #drop(): void {
    this.#kept?.answer.body.abort(new Error('Another answer was passed on'));
    this.#kept = undefined;
  }

  #lastAnswer(error: unknown): Dispatched {
    const kept = this.#kept;
    const isOurs = error instanceof ProxyError && isUpstreamsFault(error) && !this.#request.incoming.signal.aborted;
    if (!kept || !isOurs || kept.answer.body.state === 'cut') {
      this.#drop();
      throw error;
    }
    const heldMs = performance.now() - kept.sinceMs;
    return { answer: kept.answer, heldMs, attempts: this.#attempts, exhausted: true };
  }

  #spent(failure: Failure | undefined): Error {
    if (!failure) return new ProxyError('internal', 'A plan without candidates');
    const { kind, message, facts } = failure.error;
    return new ProxyError(kind, message, {
      ...facts,
      route: this.#request.route.name,
      exhausted: this.#mayTryAgain,
      cause: failure.error,
    });
  }

  #leftMs(): number {
    return this.#deadlineMs - performance.now();
  }

  async #wait(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#signal });
    } catch {
      throw this.#signal.reason;
    }
  }
}
