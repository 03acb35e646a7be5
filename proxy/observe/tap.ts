/**
 * The tap of one exchange: turns what the pipeline tells into metrics, the stream's verdict and the facts of the record. No
 * method throws, waits or changes a byte; when something here fails, it is counted and the exchange goes on.
 */
import { performance } from 'node:perf_hooks';
import type { AnswerHead, Attempt, RequestFacts, RequestHead, Tap, ToolCall, Verdict } from '../exchange.ts';
import { Arrivals } from '../log/arrivals.ts';
import { BodyCapture, type CaptureBudget, NO_CAPTURE } from '../log/capture.ts';
import type { ExchangeFacts, ExchangeTimes, FactsSoFar } from '../log/exchange-facts.ts';
import type { Journal } from '../log/journal.ts';
import type { Logger } from '../log/logger.ts';
import type { BeginProgress, Progress } from '../log/partials/partial-writer.ts';
import { present } from '../log/record.ts';
import type { LogRules } from '../log/rules.ts';
import type { StreamEnd } from '../stream/end.ts';
import { isPlainJson, USAGE_BODY_BYTES } from '../stream/scan/answer-body.ts';
import { isEventStream, type StreamScanner, scannerFor } from '../stream/scan.ts';
import type { AnswerMeters, Metrics } from './meters.ts';

export interface TapServices {
  readonly rules: LogRules;
  readonly budget: CaptureBudget;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly journal: Pick<Journal, 'now' | 'soon'>;
  /** Asked for each stream whose progress is to be recorded. */
  readonly progress: BeginProgress;
  /** Takes the facts once the exchange has ended. */
  readonly finished: (facts: ExchangeFacts) => void;
}

const NO_ANSWER: Verdict = { terminal: 'unknown', error: undefined, content: false, atBoundary: false };

/** Of an exchange's calls so many are kept for the record; the metrics count all. */
const MOST_TOOL_CALLS = 256;

/** Whether a failing tap was logged: the first tells what is wrong, and more would flood. */
let failureLogged = false;

export class ExchangeTap implements Tap {
  readonly #head: RequestHead;
  readonly #services: TapServices;
  readonly #requestBody: BodyCapture;
  readonly #attempts: Attempt[] = [];
  readonly #toolCalls: ToolCall[] = [];
  readonly #times: ExchangeTimes = { endedAt: 0 };
  readonly #arrivals: Arrivals | undefined;
  #responseBody: BodyCapture;
  #route: string | undefined;
  #request: RequestFacts | undefined;
  #answer: AnswerHead | undefined;
  #scanner: StreamScanner | undefined;
  #meters: AnswerMeters | undefined;
  #isStream = false;
  #progress: Progress | undefined;
  #contentEvents = 0;
  #lastContentAt = 0;
  #ended = false;

  constructor(head: RequestHead, services: TapServices) {
    this.#head = head;
    this.#services = services;
    const { rules, budget } = services;
    this.#requestBody = rules.records ? new BodyCapture(rules.bodies.maxBytes, budget) : NO_CAPTURE;
    this.#responseBody = rules.records ? new BodyCapture(rules.bodies.maxBytes, budget) : NO_CAPTURE;
    this.#arrivals = rules.records ? new Arrivals(budget.arrivals) : undefined;
  }

  matched(route: string, facts: RequestFacts): void {
    this.#guard(() => {
      this.#route = route;
      this.#request = facts;
      const { model, agent, stream } = facts;
      const { id } = this.#head;
      this.#services.journal.now({
        mark: 'matched',
        id,
        route,
        stream,
        ...present('model', model),
        ...present('agent', agent),
      });
    });
  }

  requestChunk(chunk: Buffer): void {
    try {
      this.#requestBody.push(chunk);
    } catch (error) {
      this.#failed(error);
    }
  }

  attempted(attempt: Attempt): void {
    this.#guard(() => {
      this.#attempts.push(attempt);
      this.#services.metrics.attempted(attempt.upstream, attempt.outcome);
    });
  }

  toolCalled(call: ToolCall): void {
    if (this.#toolCalls.length < MOST_TOOL_CALLS) this.#toolCalls.push(call);
  }

  answered(head: AnswerHead): void {
    this.#guard(() => {
      const { rules, budget, metrics } = this.#services;
      this.#answer = head;
      this.#isStream = isEventStream(head.rawHeaders);
      this.#scanner = scannerFor(head.upstreamDialect, this.#head.target.split('?', 1)[0] ?? '', head.rawHeaders);
      this.#meters = metrics.answer(this.#route, head.upstream);
      if (isPlainJson(head.rawHeaders)) {
        const wantedBytes = rules.records ? rules.bodies.maxBytes : 0;
        this.#responseBody = new BodyCapture(Math.max(wantedBytes, USAGE_BODY_BYTES), budget);
      }
      if (this.#isStream) metrics.activeStreams(1);
      this.#recordProgress();
    });
  }

  answerChunk(chunk: Buffer, from = 0, to = chunk.length): void {
    try {
      const now = performance.now();
      this.#times.firstByteAt ??= now;
      this.#times.lastByteAt = now;
      this.#responseBody.push(chunk, from, to);
      this.#arrivals?.push(now, to - from);
      const scanner = this.#scanner;
      if (scanner === undefined) return;
      scanner.push(chunk, from, to);
      if (scanner.contentEvents !== this.#contentEvents) this.#content(scanner.contentEvents, now);
    } catch (error) {
      this.#failed(error);
    }
  }

  verdict(): Verdict {
    try {
      return this.#scanner?.verdict() ?? NO_ANSWER;
    } catch (error) {
      this.#failed(error);
      return NO_ANSWER;
    }
  }

  delivered(heldMs: number): void {
    this.#guard(() => {
      const now = performance.now();
      const { receivedAt } = this.#head;
      this.#times.deliveredAt = now;
      this.#times.firstByteAt = Math.min(this.#times.firstByteAt ?? now, now - heldMs);
      this.#meters?.firstByte(now - receivedAt);
      this.#meters?.overhead(this.#overheadMs(heldMs));
    });
  }

  ended(end: StreamEnd, status: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#times.endedAt = performance.now();
    // One by one, so that a record is written even if counting failed.
    this.#guard(() => this.#count(end, status));
    this.#guard(() => {
      const afterMs = Math.round(this.#times.endedAt - this.#head.receivedAt);
      this.#services.journal.soon({ mark: 'ended', id: this.#head.id, end: end.kind, status, afterMs });
    });
    this.#guard(() => this.#services.finished(this.#facts(end, status)));
  }

  /** Content events that came together are 0 apart, so that gaps are as many as content events, less one. */
  #content(events: number, now: number): void {
    let together = events - this.#contentEvents;
    if (this.#contentEvents === 0) {
      this.#times.firstContentAt = now;
      this.#meters?.firstToken(now - this.#head.receivedAt);
      together--;
    } else {
      this.#meters?.tokenGap(now - this.#lastContentAt);
      together--;
    }
    for (; together > 0; together--) this.#meters?.tokenGap(0);
    this.#contentEvents = events;
    this.#lastContentAt = now;
  }

  /** Time before the first byte in which no upstream worked for the exchange: ours, and waits between attempts. */
  #overheadMs(heldMs: number): number {
    const last = this.#attempts.at(-1);
    if (last === undefined) return heldMs;
    let ms = last.startedAt - this.#head.receivedAt + heldMs;
    for (const attempt of this.#attempts) if (attempt !== last) ms -= attempt.endedAt - attempt.startedAt;
    return Math.max(0, ms);
  }

  #count({ kind }: StreamEnd, status: number): void {
    const { metrics } = this.#services;
    const upstream = this.#answer?.upstream ?? this.#attempts.at(-1)?.upstream;
    metrics.exchangeEnded({ route: this.#route, upstream, dialect: this.#head.dialect, code: status, end: kind });
    if (this.#isStream) {
      metrics.activeStreams(-1);
      this.#meters?.duration(this.#times.endedAt - this.#head.receivedAt, kind);
    }
    const usage = this.#scanner?.usage;
    if (usage === undefined) return;
    const isChained = this.#services.rules.gateways.has(upstream ?? '');
    metrics.tokens(this.#scanner?.model ?? this.#request?.model, usage, isChained);
  }

  #facts(end: StreamEnd, status: number): ExchangeFacts {
    return {
      ...this.#known(),
      attempts: this.#attempts,
      toolCalls: this.#toolCalls,
      requestBody: this.#requestBody,
      responseBody: this.#responseBody,
      ...present('arrivals', this.#arrivals),
      times: this.#times,
      end,
      status,
      ...present('sequence', this.#progress?.end()),
    };
  }

  /** What is a value of its own at every moment. */
  #known() {
    return {
      head: this.#head,
      rules: this.#services.rules,
      route: this.#route,
      request: this.#request,
      answer: this.#answer,
      contentEvents: this.#contentEvents,
      model: this.#scanner?.model,
      usage: this.#scanner?.usage,
    };
  }

  #recordProgress(): void {
    const everyMs = this.#services.rules.partialsEveryMs;
    if (!this.#isStream || everyMs === undefined) return;
    this.#progress ??= this.#services.progress({
      id: this.#head.id,
      everyMs,
      answerBytes: () => this.#responseBody.sizeBytes,
      soFar: () => this.#soFar(),
    });
  }

  #soFar(): FactsSoFar {
    const { endedAt: _, ...times } = this.#times;
    const arrivals = this.#arrivals?.soFar();
    return {
      ...this.#known(),
      attempts: [...this.#attempts],
      toolCalls: [...this.#toolCalls],
      requestBody: this.#requestBody.snapshot(),
      responseBody: this.#responseBody.snapshot(),
      arrivals: { soFar: () => arrivals },
      times,
      status: times.deliveredAt === undefined ? 0 : (this.#answer?.status ?? 0),
    };
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    try {
      this.#services.metrics.watchFailed('tap');
      if (failureLogged) return;
      failureLogged = true;
      this.#services.logger.error('Cannot watch an exchange; it goes on, and so do others', {
        id: this.#head.id,
        error,
      });
    } catch {
      // Counting and logging failed as well: nobody is left to tell.
    }
  }
}
