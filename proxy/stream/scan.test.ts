import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Dialect } from '#contract/dialect.ts';
import { scannerFor } from './scan.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures/streams');
const RECORDINGS = env['SLUICE_RECORDINGS'] ?? join(ROOT, '../shared/streams');
const HEADERS = ['Content-Type', 'text/event-stream'];

interface Reading {
  dialect: Dialect;
  path: string;
  bytes: Buffer;
}

function read({ dialect, path }: Omit<Reading, 'bytes'>, chunks: Iterable<Buffer>) {
  const scanner = scannerFor(dialect, path, HEADERS);
  for (const chunk of chunks) scanner.push(chunk);
  const { contentEvents, model, usage } = scanner;
  return { verdict: scanner.verdict(), contentEvents, model, usage };
}

/** Pieces of the bytes, cut at the given places; each is a buffer of its own, as the network would bring it. */
function* cut(bytes: Buffer, places: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const place of [...places, bytes.length]) {
    yield Buffer.from(bytes.subarray(from, place));
    from = place;
  }
}

function everyByte(bytes: Buffer): number[] {
  return Array.from({ length: Math.max(0, bytes.length - 1) }, (_, i) => i + 1);
}

/** A small seeded generator (mulberry32), so that a failing split can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomPlaces(length: number, random: () => number): number[] {
  const pieces = 1 + Math.floor(random() * 40);
  return Array.from({ length: pieces }, () => Math.floor(random() * length)).sort((a, b) => a - b);
}

/** The same reading for the whole, for single bytes, and for every (small) or many seeded (large) splits. */
function assertSameForAnyChunking(reading: Reading): ReturnType<typeof read> {
  const { bytes } = reading;
  const whole = read(reading, [bytes]);
  assert.deepEqual(read(reading, cut(bytes, everyByte(bytes))), whole, 'byte by byte');
  if (bytes.length <= 8192) {
    for (const place of everyByte(bytes))
      assert.deepEqual(read(reading, cut(bytes, [place])), whole, `cut at ${place}`);
  } else {
    const random = seeded(bytes.length);
    for (let i = 0; i < 50; i++) {
      const places = randomPlaces(bytes.length, random);
      assert.deepEqual(read(reading, cut(bytes, places)), whole, `cut at ${places.join(', ')}`);
    }
  }
  return whole;
}

const ANTHROPIC = { dialect: 'anthropic', path: '/v1/messages' } as const;
const CHAT = { dialect: 'openai', path: '/v1/chat/completions' } as const;
const RESPONSES = { dialect: 'openai', path: '/v1/responses' } as const;

const OPENING = {
  inputTokens: 25,
  outputTokens: 1,
  cacheReadTokens: 2000,
  cacheWriteTokens: 100,
  cacheWrite1hTokens: 60,
};
const CHAT_USAGE = { inputTokens: 20, outputTokens: 9, cacheReadTokens: 100, reasoningTokens: 4 };
const RESPONSES_USAGE = { inputTokens: 30, outputTokens: 7, cacheReadTokens: 20, reasoningTokens: 3 };

type Expected = [file: string, terminal: string, error: string | undefined, contentEvents: number, usage: unknown];

const ANTHROPIC_CASES: Expected[] = [
  ['text', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['crlf', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['cr', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['bom-comments', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['multi-line-data', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['unnamed', 'seen', undefined, 2, { ...OPENING, outputTokens: 42 }],
  ['tool-use', 'seen', undefined, 6, { ...OPENING, outputTokens: 31 }],
  ['error-before-content', 'missing', 'overloaded_error', 0, OPENING],
  ['error-mid-stream', 'missing', 'api_error', 1, OPENING],
  ['cut', 'missing', undefined, 2, OPENING],
];
const CHAT_CASES: Expected[] = [
  ['chat', 'seen', undefined, 2, CHAT_USAGE],
  ['chat-crlf', 'seen', undefined, 2, CHAT_USAGE],
  ['chat-no-done', 'seen', undefined, 1, undefined],
  ['chat-two-choices', 'missing', undefined, 2, undefined],
  ['chat-tool-calls', 'seen', undefined, 2, CHAT_USAGE],
  ['chat-error', 'missing', 'server_error', 0, undefined],
  ['chat-named-error', 'missing', 'tokens', 1, undefined],
  ['chat-cut', 'missing', undefined, 2, undefined],
];
const RESPONSES_CASES: Expected[] = [
  ['responses', 'seen', undefined, 1, RESPONSES_USAGE],
  ['responses-incomplete', 'seen', undefined, 1, RESPONSES_USAGE],
  ['responses-failed', 'seen', 'server_error', 0, undefined],
  ['responses-error', 'missing', 'insufficient_quota', 0, undefined],
  ['responses-cut', 'missing', undefined, 1, undefined],
];

describe('scanner, fixtures', () => {
  for (const [folder, protocol, cases] of [
    ['anthropic', ANTHROPIC, ANTHROPIC_CASES],
    ['openai', CHAT, CHAT_CASES],
    ['openai', RESPONSES, RESPONSES_CASES],
  ] as const) {
    for (const [file, terminal, error, contentEvents, usage] of cases) {
      it(`reads ${folder}/${file} the same in any chunking`, () => {
        const bytes = readFileSync(join(FIXTURES, folder, `${file}.sse`));
        const found = assertSameForAnyChunking({ ...protocol, bytes });
        assert.deepEqual(
          {
            terminal: found.verdict.terminal,
            error: found.verdict.error,
            events: found.contentEvents,
            usage: found.usage,
          },
          { terminal, error, events: contentEvents, usage },
        );
        assert.equal(found.verdict.content, contentEvents > 0);
        assert.equal(found.verdict.atBoundary, !file.endsWith('cut'));
        assert.match(found.model ?? '', /^(claude|gpt)-fixture/);
      });
    }
  }

  it('has a case for every fixture', () => {
    const named = [...CHAT_CASES, ...RESPONSES_CASES].map(([file]) => `${file}.sse`).sort();
    assert.deepEqual(readdirSync(join(FIXTURES, 'openai')).sort(), named);
    assert.deepEqual(
      readdirSync(join(FIXTURES, 'anthropic')).sort(),
      ANTHROPIC_CASES.map(([file]) => `${file}.sse`).sort(),
    );
  });
});

describe('scanner, recordings', { skip: existsSync(RECORDINGS) ? false : `no recordings at ${RECORDINGS}` }, () => {
  for (const [folder, protocol] of [
    ['anthropic', ANTHROPIC],
    ['openai-chat', CHAT],
    ['openai-responses', RESPONSES],
  ] as const) {
    const path = join(RECORDINGS, folder);
    for (const file of existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.chunks.txt')) : []) {
      it(`reads ${folder}/${file} to its terminal event in any chunking`, () => {
        const lines = readFileSync(join(path, file), 'utf8').split('\n').filter(Boolean);
        const found = assertSameForAnyChunking({ ...protocol, bytes: Buffer.from(framed(folder, lines)) });
        assert.equal(found.verdict.terminal, 'seen');
        assert.equal(found.verdict.atBoundary, true);
        assert.equal(found.verdict.error, file.includes('error') ? 'insufficient_quota' : undefined);
        assert.equal(found.verdict.content, !/error|refusal/.test(file));
        if (!file.includes('error')) assert.ok((found.usage?.outputTokens ?? 0) > 0, 'usage');
        assert.ok(found.model, 'model');
      });
    }
  }
});

function framed(folder: string, lines: readonly string[]): string {
  if (folder === 'openai-chat') return `${lines.map((line) => `data: ${line}\n\n`).join('')}data: [DONE]\n\n`;
  return lines.map((line) => `event: ${(JSON.parse(line) as { type: string }).type}\ndata: ${line}\n\n`).join('');
}

describe('scanner, properties', () => {
  const all = [
    ...ANTHROPIC_CASES.map(([file]) => ({
      ...ANTHROPIC,
      bytes: readFileSync(join(FIXTURES, 'anthropic', `${file}.sse`)),
    })),
    ...CHAT_CASES.map(([file]) => ({ ...CHAT, bytes: readFileSync(join(FIXTURES, 'openai', `${file}.sse`)) })),
    ...RESPONSES_CASES.map(([file]) => ({
      ...RESPONSES,
      bytes: readFileSync(join(FIXTURES, 'openai', `${file}.sse`)),
    })),
  ];
  const mutation = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 12 });

  it('never throws on a mutated stream, and reads it the same in any chunking', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), mutation, fc.array(fc.nat(), { maxLength: 8 }), (stream, changes, cuts) => {
        const bytes = Buffer.from(stream.bytes);
        for (const [place, value] of changes) bytes[place % bytes.length] = value;
        const places = cuts.map((place) => place % bytes.length).sort((a, b) => a - b);
        assert.deepEqual(read(stream, cut(bytes, places)), read(stream, [bytes]));
      }),
      { numRuns: 400, seed: 20_261_121 },
    );
  });

  it('reads streams of any line ends, comments and fields the same in any chunking', () => {
    const line = fc.constantFrom(
      'data',
      'data:',
      'data: {"type":"message_stop"}',
      'event: message_stop',
      ': c',
      'id: 1',
      '',
      '',
      'dat',
      'x',
    );
    const end = fc.constantFrom('\n', '\r', '\r\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, end), { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((parts) => parts.join('')).join(''));
          const places = cuts.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
          assert.deepEqual(read(ANTHROPIC, cut(bytes, places)), read(ANTHROPIC, [bytes]));
        },
      ),
      { numRuns: 400, seed: 20_261_121 },
    );
  });
});

describe('scanner, limits and forms', () => {
  const big = 'x'.repeat(100_000);

  it('passes over what exceeds 64 KiB of one event and goes on', () => {
    const events = [
      `event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"${big}"}}\n\n`,
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ].join('');
    const found = assertSameForAnyChunking({ ...ANTHROPIC, bytes: Buffer.from(events) });
    assert.deepEqual([found.verdict.terminal, found.contentEvents], ['seen', 1]);
  });

  it('counts an oversize chat chunk as content', () => {
    const bytes = Buffer.from(`data: {"choices":[{"delta":{"content":"${big}"}}]}\n\ndata: [DONE]\n\n`);
    const found = assertSameForAnyChunking({ ...CHAT, bytes });
    assert.deepEqual([found.verdict.terminal, found.contentEvents], ['seen', 1]);
  });

  it('finds usage at the end of a response.completed that is longer than an event may be', () => {
    const response = {
      model: 'gpt-long',
      output: [{ text: `${big}"usage":{"input_tokens":1}` }],
      usage: { input_tokens: 8, output_tokens: 3 },
      user: null,
    };
    const data = JSON.stringify({ type: 'response.completed', response });
    const found = assertSameForAnyChunking({
      ...RESPONSES,
      bytes: Buffer.from(`event: response.completed\ndata: ${data}\n\n`),
    });
    assert.deepEqual(found.usage, { inputTokens: 8, outputTokens: 3 });
    assert.equal(found.verdict.terminal, 'seen');
  });

  it('does not take an event for whole whose blank line is missing', () => {
    assert.equal(read(ANTHROPIC, [Buffer.from('event: message_stop\ndata: {}\n')]).verdict.terminal, 'missing');
  });

  it('tells where an event of ours may follow', () => {
    const boundary = (text: string): boolean => read(ANTHROPIC, [Buffer.from(text)]).verdict.atBoundary;
    for (const text of ['', 'data: x\n\n', ': comment\n', 'data: x\r\r', 'data: x\r\n\r\n', 'id: 1\n\n']) {
      assert.equal(boundary(text), true, JSON.stringify(text));
    }
    for (const text of ['d', 'data: x\n', ': comm', 'data: x\r\n\r', 'id: 1\n', 'event: ping\n']) {
      assert.equal(boundary(text), false, JSON.stringify(text));
    }
  });

  it('takes a byte order mark off the first line, and off no other', () => {
    const stop = 'event: message_stop\ndata: {}\n\n';
    const terminal = (text: string): string =>
      assertSameForAnyChunking({ ...ANTHROPIC, bytes: Buffer.from(text) }).verdict.terminal;
    assert.equal(terminal(`\ufeff${stop}`), 'seen');
    assert.equal(terminal(`\n\ufeff${stop}`), 'missing');
  });

  it('takes a choice for finished once its reason was given', () => {
    const chunk = (choices: unknown[]): string => `data: ${JSON.stringify({ choices })}\n\n`;
    const finish = chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]);
    const after = chunk([{ index: 0, delta: {}, finish_reason: null }]);
    const terminal = (text: string): string => read(CHAT, [Buffer.from(text)]).verdict.terminal;
    assert.equal(terminal(finish + after), 'seen');
    assert.equal(terminal(chunk([{ index: 1, delta: {}, finish_reason: null }]) + finish), 'missing');
    assert.equal(terminal(chunk([{ index: 12, delta: {}, finish_reason: 'stop' }])), 'seen');
    assert.equal(terminal(finish + chunk([{ index: 9999, delta: {} }])), 'missing');
    assert.equal(terminal(chunk([])), 'missing');
  });

  it('makes an error type harmless', () => {
    const type = `"></script> ${'y'.repeat(300)}`;
    const bytes = Buffer.from(`event: error\ndata: ${JSON.stringify({ type: 'error', error: { type } })}\n\n`);
    assert.equal(read(ANTHROPIC, [bytes]).verdict.error, 'error');
  });

  it('knows nothing of answers that are no event stream, or encoded, or of an unknown form', () => {
    const bytes = Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n');
    const terminal = (dialect: Dialect, path: string, headers: string[]) => {
      const scanner = scannerFor(dialect, path, headers);
      scanner.push(bytes);
      return scanner.verdict().terminal;
    };
    assert.equal(terminal('anthropic', '/v1/messages', ['content-type', 'TEXT/Event-Stream; charset=utf-8']), 'seen');
    assert.equal(terminal('anthropic', '/v1/messages', ['content-type', 'application/json']), 'unknown');
    assert.equal(terminal('anthropic', '/v1/messages', []), 'unknown');
    assert.equal(terminal('anthropic', '/v1/messages', [...HEADERS, 'Content-Encoding', 'gzip']), 'unknown');
    assert.equal(terminal('anthropic', '/v1/messages', [...HEADERS, 'Content-Encoding', 'identity']), 'seen');
    assert.equal(terminal('raw', '/v1/messages', HEADERS), 'unknown');
    assert.equal(terminal('openai', '/v1/audio/speech', HEADERS), 'unknown');
    assert.equal(terminal('anthropic', '/v1/chat/completions', HEADERS), 'seen', 'a translated path');
  });
});
