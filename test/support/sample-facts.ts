/** What a tap may have gathered of a stream in the Anthropic dialect, for tests of what is made of it. */
import { BodyCapture, CaptureBudget } from '../../proxy/log/capture.ts';
import type { FactsSoFar } from '../../proxy/log/exchange-facts.ts';
import { NO_RULES } from '../../proxy/log/rules.ts';

const MIB = 1024 ** 2;

/** @param limitBytes how much of it is kept */
export function captured(chunks: readonly (string | Buffer)[], limitBytes = MIB): BodyCapture {
  const capture = new BodyCapture(limitBytes, new CaptureBudget(8 * MIB));
  for (const chunk of chunks) capture.push(Buffer.from(chunk));
  return capture;
}

/** Of one that is still running, unless `more` says how it ended. */
export function factsOf(answer: string, patterns: readonly string[], more: Partial<FactsSoFar> = {}): FactsSoFar {
  return {
    head: {
      id: 'a',
      receivedAt: 0,
      receivedAtEpochMs: 0,
      method: 'POST',
      target: '/v1/messages',
      dialect: 'anthropic',
      rawHeaders: [],
    },
    rules: {
      ...NO_RULES,
      assemble: true,
      patterns,
      bodies: { maxBytes: MIB, jsonPaths: [], redacts: patterns.length > 0 },
    },
    route: 'opus',
    request: undefined,
    attempts: [],
    toolCalls: [],
    answer: {
      upstream: 'u',
      upstreamDialect: 'anthropic',
      status: 200,
      rawHeaders: ['content-type', 'text/event-stream'],
    },
    requestBody: captured([]),
    responseBody: captured([answer]),
    times: {},
    contentEvents: 3,
    model: 'm',
    usage: undefined,
    status: 200,
    sequence: 0,
    ...more,
  };
}
