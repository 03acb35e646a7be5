/** The quick path of translated streams gives the same bytes as the general one, and is what most events take. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { chatOnMessages } from '../proxy/translate/chat-on-messages/chat-on-messages.ts';
import { messagesOnChat } from '../proxy/translate/messages-on-chat/messages-on-chat.ts';
import type { Translator } from '../proxy/translate/translator.ts';
import { eventEdges, fixtures, providerRecordings } from './support/clients/recordings.ts';
import {
  type CaseContext,
  caseContext,
  caseStream,
  translated,
  translationContext,
} from './support/translate/golden-case.ts';

const GOLDEN = join(import.meta.dirname, 'golden/translate');
const PAIRS: readonly (readonly [string, Translator])[] = [
  ['messages-on-chat', messagesOnChat],
  ['chat-on-messages', chatOnMessages],
];
const FLAVORS = ['openai', 'deepseek', 'groq', 'xai', 'mistral'] as const;

/** What a stream becomes, and what is counted as lost. */
function run(translator: Translator, chunks: readonly Buffer[], given: CaseContext): object {
  const losses: string[] = [];
  return { text: translated(translator.stream(translationContext(given, losses)), chunks), losses };
}

/** The same bytes so that no chunk begins and ends between events, which keeps them all on the general path. */
function inHalves(chunks: readonly Buffer[]): Buffer[] {
  return chunks.flatMap((chunk) => [chunk.subarray(0, chunk.length / 2), chunk.subarray(chunk.length / 2)]);
}

function sameOnBothPaths(translator: Translator, events: readonly Buffer[], given: CaseContext, name: string): void {
  const general = run(translator, inHalves(events), given);
  assert.deepEqual(run(translator, events, given), general, name);
  // Often enough that the path is learned in short streams as well: every event, then all of them again in one chunk.
  const longer = events.flatMap((event) => Array.from({ length: 8 }, () => event));
  assert.deepEqual(run(translator, longer, given), run(translator, inHalves(longer), given), `${name}, repeated`);
}

function eventsOf(bytes: Buffer): Buffer[] {
  const edges = [0, ...eventEdges(bytes).filter((at) => at > 0 && at < bytes.length), bytes.length];
  return edges.slice(1).map((end, at) => bytes.subarray(edges[at], end));
}

for (const [pair, translator] of PAIRS) {
  test(`quick path, ${pair}: every golden stream is the same event by event`, () => {
    for (const name of readdirSync(join(GOLDEN, pair))) {
      const folder = join(GOLDEN, pair, name);
      const bytes = caseStream(folder);
      if (bytes) sameOnBothPaths(translator, eventsOf(bytes), caseContext(folder), name);
    }
  });

  test(`quick path, ${pair}: every fixture and recording is the same event by event`, () => {
    const form = pair === 'chat-on-messages' ? '/v1/messages' : '/v1/chat/completions';
    for (const { name, bytes, isStream, path } of [...fixtures(), ...(providerRecordings() ?? [])])
      if (isStream && path === form) sameOnBothPaths(translator, eventsOf(bytes), { flavor: 'deepseek' }, name);
  });
}

/** A text, mostly of few characters, and how the server writes it. */
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 6 }) },
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '',
    ' ',
    '"',
    '\\',
    '\n',
    '\u2028',
    '\ud800',
    'ü',
    '🌍',
    '/',
    '{"a":',
    '1}',
    '[',
    ']',
    'null',
    'nu',
    'content',
  ),
);
const style = fc.record({ ascii: fc.boolean(), slashes: fc.boolean(), crlf: fc.boolean(), spaced: fc.boolean() });
type Style = typeof style extends fc.Arbitrary<infer T> ? T : never;

/** What one step of an upstream says; most steps say the same kind of thing as the one before. */
interface Said {
  readonly kind: number;
  readonly text: string;
  readonly padding: string;
  /** How the event is spoilt or joined with the next: nearly always not at all. */
  readonly odd: number;
}

const said: fc.Arbitrary<Said> = fc.record({
  kind: fc.nat(40),
  text,
  padding: fc.string({ unit: fc.constantFrom('a', 'b', '0', ' '), maxLength: 4 }),
  odd: fc.nat(60),
});
/** Steps of one kind in a row, a few times. */
const steps = fc
  .array(
    fc.record({
      first: said,
      rest: fc.array(fc.record({ text, padding: fc.string({ maxLength: 3 }) }), { maxLength: 14 }),
    }),
    {
      maxLength: 5,
    },
  )
  .map((runs) => runs.flatMap(({ first, rest }) => [first, ...rest.map((more) => ({ ...first, odd: 9, ...more }))]));

function written(value: object, { ascii, slashes, crlf, spaced }: Style, name?: string): Buffer {
  let json = JSON.stringify(value);
  if (ascii) json = json.replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  if (slashes) json = json.replaceAll('/', '\\/');
  if (spaced) json = json.replace(/\}$/, '    }');
  const lines = `${name === undefined ? '' : `event: ${name}\n`}data: ${json}\n\n`;
  return Buffer.from(crlf ? lines.replaceAll('\n', '\r\n') : lines);
}

/** Spoils what comes out of a server, now and then. */
function chunksOf(events: readonly Buffer[], all: readonly Said[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (const [at, event] of events.entries()) {
    const odd = all[at]?.odd ?? 9;
    const last = chunks.at(-1);
    if (odd === 0) event[Math.floor(event.length / 2)] = 0xff;
    if (odd === 1) chunks.push(Buffer.from(': ping\n\n'));
    if (odd === 2 || odd === 3) chunks.push(event.subarray(0, 20), event.subarray(20));
    else if (odd > 3 && odd < 7 && last) chunks[chunks.length - 1] = Buffer.concat([last, event]);
    else chunks.push(event);
  }
  return chunks;
}

function chatDelta(kind: number, piece: string, call: object): object {
  if (kind < 16) return { content: piece };
  if (kind < 20) return { content: null, reasoning_content: piece };
  if (kind === 20) return { content: piece, reasoning_content: piece };
  if (kind === 21) return { refusal: piece };
  if (kind === 22) return { content: piece, annotations: [{}] };
  if (kind === 23) return { content: [{ type: 'text', text: piece }] };
  return { role: 'assistant', content: null, tool_calls: [call] };
}

function chatEvents(all: readonly Said[], how: Style): Buffer[] {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5/x' };
  const opening = { ...head, choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] };
  const called = new Set<number>();
  const events = all.map(({ kind, text: piece, padding, odd }, at) => {
    const index = kind % 3;
    // Some servers begin another call at the same place, or name no place at all.
    const isFirst = kind >= 24 && (!called.has(index) || (kind >= 36 && odd % 2 === 0));
    if (isFirst) called.add(index);
    const begun = { id: `call_${at}`, type: 'function', function: { name: 'f', arguments: odd > 30 ? '{"x":' : '' } };
    const place = kind === 39 ? {} : { index };
    const delta = chatDelta(kind, piece, { ...place, ...(isFirst ? begun : { function: { arguments: piece } }) });
    const finish_reason = kind === 15 ? 'length' : null;
    const choices = [{ index: kind === 40 ? 1 : 0, delta, logprobs: null, finish_reason }];
    const usage = kind === 14 ? { prompt_tokens: 3, completion_tokens: piece.length } : null;
    return written({ ...head, choices, usage, obfuscation: padding }, how);
  });
  const closing = { ...head, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
  return [written(opening, how), ...events, written(closing, how), Buffer.from('data: [DONE]\n\n')];
}

function messagesDelta(block: string, piece: string): object {
  if (block === 'text') return { type: 'text_delta', text: piece };
  if (block === 'thinking') return { type: 'thinking_delta', thinking: piece };
  return { type: 'input_json_delta', partial_json: piece };
}

function messagesEvents(all: readonly Said[], how: Style): Buffer[] {
  const message = { id: 'msg_1', role: 'assistant', model: 'claude/x', content: [], usage: { input_tokens: 3 } };
  const events: Buffer[] = [written({ type: 'message_start', message }, how, 'message_start')];
  let index = -1;
  let open: string | undefined;
  for (const { kind, text: piece } of all) {
    const wanted = ['text', 'text', 'thinking', 'tool_use', 'server_tool_use'][kind % 5] as string;
    if (open !== wanted || kind === 39) {
      if (open !== undefined) events.push(written({ type: 'content_block_stop', index }, how, 'content_block_stop'));
      open = wanted;
      const content_block = { type: wanted, id: `toolu_${++index}`, name: 'f', input: {}, text: '', thinking: '' };
      events.push(written({ type: 'content_block_start', index, content_block }, how, 'content_block_start'));
    }
    const delta = messagesDelta(wanted, piece);
    events.push(written({ type: 'content_block_delta', index, delta }, how, 'content_block_delta'));
    const url = { type: 'web_search_result_location', url: 'https://example.com', title: piece };
    const citation = { type: 'citations_delta', citation: url };
    if (kind === 30)
      events.push(written({ type: 'content_block_delta', index, delta: citation }, how, 'content_block_delta'));
  }
  events.push(written({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }, how, 'message_delta'));
  return [...events, written({ type: 'message_stop' }, how, 'message_stop')];
}

for (const [pair, translator] of PAIRS)
  test(`quick path, ${pair}: whatever an upstream says in whatever chunks, it is the same on both paths`, () => {
    const eventsIn = pair === 'chat-on-messages' ? messagesEvents : chatEvents;
    fc.assert(
      fc.property(steps, style, fc.constantFrom(...FLAVORS), fc.boolean(), (all, how, flavor, asked) => {
        const request = asked ? { stream_options: { include_usage: true }, functions: [{ name: 'f' }] } : {};
        const chunks = chunksOf(eventsIn(all, how), all);
        assert.deepEqual(
          run(translator, chunks, { flavor, request }),
          run(translator, inHalves(chunks), { flavor, request }),
        );
      }),
      { numRuns: 400 },
    );
  });

function chatChunk(delta: object, finish: string | null = null): object {
  return { id: 'chatcmpl-1', model: 'gpt-5', choices: [{ index: 0, delta, finish_reason: finish }] };
}

/** @param begun what a fragment has that begins a call */
function callChunk(index: number | undefined, fragment: string, begun?: { readonly id: string }): object {
  const name = begun && { name: 'f' };
  const call = { ...(index !== undefined && { index }), ...begun, function: { ...name, arguments: fragment } };
  return chatChunk({ tool_calls: [call] });
}

function often(chunk: object): object[] {
  return Array.from({ length: 8 }, () => chunk);
}

/** Where an event that was seen before means something else the next time. */
const TURNS: Readonly<Record<string, readonly object[]>> = {
  'a finish reason that comes again behind another': [
    ...often(chatChunk({ content: 'a' }, 'length')),
    chatChunk({}, 'stop'),
    chatChunk({ content: 'c' }, 'length'),
  ],
  'arguments of null of a second call at the same place': [
    callChunk(0, '{"a":"', { id: 'call_1' }),
    ...often(callChunk(0, 'b')),
    callChunk(0, '"}'),
    callChunk(0, '', { id: 'call_2' }),
    callChunk(0, 'nu'),
    callChunk(0, 'll'),
    chatChunk({}, 'tool_calls'),
  ],
  'a fragment without a place behind one of an earlier call': [
    callChunk(0, '{}', { id: 'call_1' }),
    callChunk(1, '{"a":"', { id: 'call_2' }),
    ...often(callChunk(1, 'b')),
    callChunk(0, ' '),
    callChunk(1, 'c'),
    callChunk(undefined, '"}'),
    chatChunk({}, 'tool_calls'),
  ],
  'text between reasoning': [
    ...often(chatChunk({ reasoning_content: 'a' })),
    chatChunk({ content: 'b' }),
    ...often(chatChunk({ reasoning_content: 'c' })),
    chatChunk({}, 'stop'),
  ],
};

test('quick path: text in a block that was one of text before is the same on both paths', () => {
  const begin = (type: string) => ({ type: 'content_block_start', index: 0, content_block: { type, id: 'toolu_1' } });
  const text = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } };
  const stop = { type: 'content_block_stop', index: 0 };
  const all = [
    { type: 'message_start', message: {} },
    begin('text'),
    ...often(text),
    stop,
    begin('tool_use'),
    text,
    stop,
  ];
  const events = [...all, { type: 'message_stop' }, text].map((event) =>
    Buffer.from(`data: ${JSON.stringify(event)}\n\n`),
  );
  assert.deepEqual(run(chatOnMessages, events, {}), run(chatOnMessages, inHalves(events), {}));
});

for (const [name, chunks] of Object.entries(TURNS))
  test(`quick path: ${name} is the same on both paths`, () => {
    const events = [...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'].map((event) =>
      Buffer.from(event),
    );
    assert.deepEqual(run(messagesOnChat, events, {}), run(messagesOnChat, inHalves(events), {}));
  });

/** Streams of one kind of piece; what is parsed of them is little, whatever their length. */
const LONG: readonly (readonly [string, Translator, (piece: string) => Said, typeof chatEvents])[] = [
  [
    'text of Chat',
    messagesOnChat,
    (piece) => ({ kind: 0, text: piece, padding: 'x'.repeat(piece.length), odd: 9 }),
    chatEvents,
  ],
  ['reasoning of Chat', messagesOnChat, (piece) => ({ kind: 16, text: piece, padding: '', odd: 9 }), chatEvents],
  ['arguments of Chat', messagesOnChat, (piece) => ({ kind: 24, text: piece, padding: 'x', odd: 9 }), chatEvents],
  ['text of Messages', chatOnMessages, (piece) => ({ kind: 0, text: piece, padding: '', odd: 9 }), messagesEvents],
  ['thinking of Messages', chatOnMessages, (piece) => ({ kind: 2, text: piece, padding: '', odd: 9 }), messagesEvents],
  ['input of Messages', chatOnMessages, (piece) => ({ kind: 3, text: piece, padding: '', odd: 9 }), messagesEvents],
];

for (const [name, translator, sayingOf, eventsIn] of LONG)
  test(`quick path: ${name} takes it`, (t) => {
    const how = { ascii: false, slashes: false, crlf: false, spaced: true };
    const all = Array.from({ length: 1000 }, (_, at) => sayingOf(` "${at}"`));
    const stream = translator.stream(translationContext({ flavor: 'deepseek' }));
    const stringify = t.mock.method(JSON, 'stringify');
    const events = eventsIn(all, how);
    const before = stringify.mock.callCount();
    const lengths = events.map((event) => stream.push(event).length);
    assert.ok(lengths.slice(10, 1000).every((length) => length > 0));
    assert.ok(stringify.mock.callCount() - before < 40, `${stringify.mock.callCount() - before} were written anew`);
  });
