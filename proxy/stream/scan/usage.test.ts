import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dialect } from '#contract/dialect.ts';
import { scannerFor } from '../scan.ts';
import { readAnswerBody } from './answer-body.ts';
import type { Usage } from './usage.ts';

const SSE = ['content-type', 'text/event-stream'];
const JSON_TYPE = ['content-type', 'application/json; charset=utf-8'];

function streamUsage(dialect: Dialect, path: string, events: readonly unknown[]): Usage | undefined {
  const scanner = scannerFor(dialect, path, SSE);
  for (const event of events) {
    const name = dialect === 'anthropic' ? `event: ${(event as { type: string }).type}\n` : '';
    scanner.push(Buffer.from(`${name}data: ${JSON.stringify(event)}\n\n`));
  }
  return scanner.usage;
}

const start = (usage?: unknown) => ({ type: 'message_start', message: { model: 'm', usage } });
const delta = (usage?: unknown) => ({ type: 'message_delta', delta: {}, usage });
const chunk = (usage: unknown, choices: unknown[] = [{ index: 0, delta: {}, finish_reason: 'stop' }]) => ({
  choices,
  usage,
});

describe('usage of a Messages stream: the last number wins, nothing is added', () => {
  const cases: [string, unknown[], Usage | undefined][] = [
    ['in the start only', [start({ input_tokens: 3, output_tokens: 1 })], { inputTokens: 3, outputTokens: 1 }],
    ['in the delta only', [start(), delta({ input_tokens: 3, output_tokens: 9 })], { inputTokens: 3, outputTokens: 9 }],
    [
      'in both',
      [start({ input_tokens: 43, output_tokens: 1 }), delta({ input_tokens: 61, output_tokens: 2 })],
      { inputTokens: 61, outputTokens: 2 },
    ],
    [
      'null later',
      [
        start({ input_tokens: 3, cache_read_input_tokens: 8 }),
        delta({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 5 }),
      ],
      { inputTokens: 3, cacheReadTokens: 8, outputTokens: 5 },
    ],
    [
      'zero later',
      [start({ input_tokens: 3 }), delta({ input_tokens: 0, output_tokens: 0 })],
      { inputTokens: 0, outputTokens: 0 },
    ],
    [
      'in several deltas',
      [start({ input_tokens: 3, output_tokens: 1 }), delta({ output_tokens: 5 }), delta({ output_tokens: 9 })],
      { inputTokens: 3, outputTokens: 9 },
    ],
    [
      'with the cache split',
      [
        start({
          input_tokens: 1,
          cache_creation_input_tokens: 10,
          cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 6 },
        }),
      ],
      { inputTokens: 1, cacheWriteTokens: 10, cacheWrite1hTokens: 6 },
    ],
    ['nowhere', [start(), delta()], undefined],
    [
      'of nonsense',
      [start({ input_tokens: '3', output_tokens: -1, cache_read_input_tokens: 1e300 }), delta('x'), delta([1])],
      undefined,
    ],
  ];
  for (const [name, events, expected] of cases) {
    it(name, () => assert.deepEqual(streamUsage('anthropic', '/v1/messages', events), expected));
  }
});

describe('usage of a Chat stream: cached tokens are taken out of the input', () => {
  const full = { prompt_tokens: 100, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 60 } };
  const expected = { inputTokens: 40, outputTokens: 7, cacheReadTokens: 60 };
  const cases: [string, unknown[], Usage | undefined][] = [
    ['in a chunk without choices, after the finish', [chunk(null), chunk(full, [])], expected],
    ['in the last chunk', [chunk(full)], expected],
    ['in every chunk, growing', [chunk({ prompt_tokens: 100, completion_tokens: 1 }), chunk(full)], expected],
    ['null afterwards', [chunk(full), chunk(null)], expected],
    ['without details', [chunk({ prompt_tokens: 5, completion_tokens: 2 })], { inputTokens: 5, outputTokens: 2 }],
    ['never asked for', [chunk(null), chunk(undefined)], undefined],
  ];
  for (const [name, events, usage] of cases) {
    it(name, () => assert.deepEqual(streamUsage('openai', '/v1/chat/completions', events), usage));
  }
});

describe('usage of plain answers', () => {
  const read = (dialect: Dialect, path: string, body: unknown, headers = JSON_TYPE) =>
    readAnswerBody(dialect, path, headers, Buffer.from(JSON.stringify(body)));

  it('reads model and usage of either dialect', () => {
    const anthropic = read('anthropic', '/v1/messages', { model: 'c', usage: { input_tokens: 5, output_tokens: 2 } });
    assert.deepEqual(anthropic, { model: 'c', usage: { inputTokens: 5, outputTokens: 2 } });
    const embeddings = read('openai', '/v1/embeddings', {
      model: 'e',
      data: [],
      usage: { prompt_tokens: 8, total_tokens: 8 },
    });
    assert.deepEqual(embeddings, { model: 'e', usage: { inputTokens: 8 } });
  });

  it('takes no usage from what is none', () => {
    assert.equal(
      read('anthropic', '/v1/messages/count_tokens', { input_tokens: 5, usage: { input_tokens: 5 } }).usage,
      undefined,
    );
    assert.equal(read('raw', '/v1/messages', { usage: { input_tokens: 5 } }).usage, undefined);
    assert.equal(
      read('openai', '/v1/chat/completions', { usage: { prompt_tokens: 5 } }, ['content-type', 'text/plain']).usage,
      undefined,
    );
    assert.equal(readAnswerBody('openai', '/v1/responses', JSON_TYPE, Buffer.from('{"usage":')).usage, undefined);
    assert.equal(read('openai', '/v1/chat/completions', { error: { message: 'x' } }).usage, undefined);
  });

  it('reads a stream that was unpacked after its end', () => {
    const body = Buffer.from(`data: ${JSON.stringify(chunk({ prompt_tokens: 5, completion_tokens: 2 }))}\n\n`);
    const found = readAnswerBody('openai', '/v1/chat/completions', [...SSE, 'content-encoding', 'gzip'], body);
    assert.deepEqual(found.usage, { inputTokens: 5, outputTokens: 2 });
  });
});
