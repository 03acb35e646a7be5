import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import type { Attempt, RequestHead, Tap } from '../exchange.ts';
import { CaptureBudget } from '../log/capture.ts';
import type { ExchangeFacts } from '../log/exchange-facts.ts';
import { createLogger } from '../log/logger.ts';
import { NO_RULES } from '../log/rules.ts';
import type { AnswerMeters, Metrics } from './meters.ts';
import { createMetrics } from './metrics.ts';
import { ExchangeTap, type TapServices } from './tap.ts';

const RECEIVED_AT = performance.now() - 10_000;
const HEAD: RequestHead = {
  id: 'x',
  receivedAt: RECEIVED_AT,
  receivedAtEpochMs: Date.now() - 10_000,
  method: 'POST',
  target: '/v1/messages?beta=true',
  dialect: 'anthropic',
  rawHeaders: [],
};
const ANSWER = {
  upstream: 'claude',
  upstreamDialect: 'anthropic',
  status: 200,
  rawHeaders: ['Content-Type', 'text/event-stream'],
} as const;
const DELTA = 'event: content_block_delta\ndata: {}\n\n';

/** The real registry, with what one answer's meters are told noted beside it. */
function open(overrides: Partial<TapServices> = {}) {
  const seen: [string, ...unknown[]][] = [];
  const note =
    (name: string) =>
    (...values: unknown[]) =>
      void seen.push([name, ...values]);
  const meters: AnswerMeters = {
    firstByte: note('firstByte'),
    firstToken: note('firstToken'),
    tokenGap: note('tokenGap'),
    overhead: note('overhead'),
    duration: note('duration'),
  };
  const finished: ExchangeFacts[] = [];
  const lines: string[] = [];
  const services: TapServices = {
    rules: NO_RULES,
    budget: new CaptureBudget(1e6),
    metrics: { ...createMetrics(), answer: () => meters },
    logger: createLogger({ write: (line) => lines.push(line) }),
    journal: { now: () => {}, soon: () => {} },
    progress: () => ({ end: () => 0 }),
    finished: (facts) => finished.push(facts),
    ...overrides,
  };
  return { tap: new ExchangeTap(HEAD, services), seen, finished, lines };
}

const attempt = (startMs: number, endMs: number, outcome: Attempt['outcome']): Attempt => ({
  upstream: 'claude',
  startedAt: RECEIVED_AT + startMs,
  endedAt: RECEIVED_AT + endMs,
  outcome,
});

describe('ExchangeTap', () => {
  it('takes as overhead the time before the first byte in which no upstream worked, and the hold', () => {
    const { tap, seen } = open();
    tap.attempted(attempt(2, 302, 'timeout'));
    tap.attempted(attempt(352, 852, 'refused'));
    tap.attempted(attempt(853, 1000, 'answered'));
    tap.answered(ANSWER);
    tap.answerChunk(Buffer.from(DELTA));
    tap.delivered(40);
    const [, overheadMs] = seen.find(([name]) => name === 'overhead') ?? [];
    assert.equal(Math.round(Number(overheadMs) * 1000) / 1000, 2 + 50 + 1 + 40);
  });

  it('takes a held first byte back to when it came', () => {
    const { tap, finished } = open();
    tap.answered(ANSWER);
    tap.answerChunk(Buffer.from(DELTA));
    tap.delivered(500);
    tap.ended({ kind: 'complete' }, 200);
    const { firstByteAt = 0, deliveredAt = 0 } = finished[0]?.times ?? {};
    assert.equal(Math.round(deliveredAt - firstByteAt), 500);
  });

  it('observes one gap less than content events, 0 between those that came together', () => {
    const { tap, seen } = open();
    tap.answered(ANSWER);
    tap.answerChunk(Buffer.from('event: ping\ndata: {}\n\n'));
    assert.equal(seen.length, 0);
    tap.answerChunk(Buffer.from(DELTA + DELTA));
    tap.answerChunk(Buffer.from(DELTA.slice(0, 10)));
    tap.answerChunk(Buffer.from(DELTA.slice(10) + DELTA + DELTA));
    tap.ended({ kind: 'complete' }, 200);
    assert.deepEqual(
      seen.map(([name]) => name),
      ['firstToken', 'tokenGap', 'tokenGap', 'tokenGap', 'tokenGap', 'duration'],
    );
    const gaps = seen.filter(([name]) => name === 'tokenGap').map(([, ms]) => Number(ms));
    assert.deepEqual([gaps[0], (gaps[1] ?? 0) > 0, gaps[2], gaps[3]], [0, true, 0, 0]);
  });

  it('observes no stream where the answer is none', () => {
    const { tap, seen, finished } = open();
    tap.answered({ ...ANSWER, rawHeaders: ['content-type', 'application/json'] });
    tap.answerChunk(Buffer.from('{}'));
    assert.deepEqual(tap.verdict(), { terminal: 'unknown', error: undefined, content: false, atBoundary: false });
    tap.ended({ kind: 'complete' }, 200);
    assert.equal(seen.length, 0);
    assert.equal(finished[0]?.responseBody.sizeBytes, 2);
  });

  it('never throws, whatever fails below it, and counts and logs that', () => {
    const fail = (): never => {
      throw new Error('broken');
    };
    const broken = new Proxy({} as Metrics, { get: (_, name) => (name === 'watchFailed' ? () => failures++ : fail) });
    let failures = 0;
    const { tap, lines } = open({
      metrics: broken,
      journal: { now: fail, soon: fail },
      finished: fail,
      budget: new Proxy(new CaptureBudget(1), { get: fail }),
    });
    const calls: ((tap: Tap) => unknown)[] = [
      (t) => t.matched('r', { model: undefined, agent: undefined, stream: true }),
      (t) => t.requestChunk(Buffer.from('x')),
      (t) => t.attempted(attempt(0, 1, 'answered')),
      (t) => t.answered(ANSWER),
      (t) => t.answerChunk(Buffer.from(DELTA)),
      (t) => t.verdict(),
      (t) => t.delivered(0),
      (t) => t.ended({ kind: 'complete' }, 200),
      (t) => t.ended({ kind: 'complete' }, 200),
    ];
    for (const call of calls) assert.doesNotThrow(() => call(tap));
    assert.ok(failures >= 5, `${failures}`);
    assert.equal(lines.length, 1);
  });
});
