import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SseEventReader } from '../translate/sse.ts';
import { chat } from './chat/chat.ts';
import type { LoopDialect, LoopStream } from './dialect.ts';
import { messages } from './messages/messages.ts';
import { listOf, membersOf } from './tool.ts';

const STREAMS = join(import.meta.dirname, '../../test/fixtures/streams');
const ANTHROPIC = ['text', 'tool-use', 'crlf', 'cr', 'bom-comments', 'multi-line-data', 'unnamed'];
const OPENAI = ['chat', 'chat-crlf', 'chat-tool-calls', 'chat-no-done'];

function fixture(path: string): Buffer {
  return readFileSync(join(STREAMS, path));
}

function events(bytes: Buffer | string): { name: string; data: unknown }[] {
  const found: { name: string; data: unknown }[] = [];
  const reader = new SseEventReader(({ name = '', data }) => {
    found.push({ name, data: data === '[DONE]' ? data : JSON.parse(data) });
  });
  reader.push(Buffer.from(bytes));
  reader.end();
  return found;
}

/** One turn through the loop's stream, its bytes in the given chunks. */
function through(stream: LoopStream, chunks: readonly Buffer[]): string {
  let out = '';
  const reader = new SseEventReader(({ name = '', data }) => {
    out += stream.event({ name, data });
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return out;
}

function open(dialect: LoopDialect, ours: readonly string[] = []): LoopStream {
  return dialect.openStream({ isOurs: (name) => ours.includes(name), progress: 'none', opening: '', body: {} });
}

for (const name of ANTHROPIC) {
  test(`messages: one turn without our tools is the upstream's events, unchanged (${name})`, () => {
    const bytes = fixture(`anthropic/${name}.sse`);
    const stream = open(messages);
    const out = through(stream, [bytes]);
    assert.ok(stream.endTurn());
    const data = (list: { data: unknown }[]): unknown[] => list.map((event) => event.data);
    assert.deepEqual(data(events(out + stream.finish())), data(events(bytes)));
  });
}

for (const name of OPENAI) {
  test(`chat: one turn without our tools says what the upstream said (${name})`, () => {
    const bytes = fixture(`openai/${name}.sse`);
    const stream = open(chat);
    const out = through(stream, [bytes]);
    assert.ok(stream.endTurn());
    assert.deepEqual(saidInChat(out + stream.finish()), saidInChat(bytes));
  });
}

/** Text, calls and end of a stream. */
function saidInChat(bytes: Buffer | string): unknown {
  let text = '';
  let finish: unknown;
  const calls: Record<string, string> = {};
  for (const { data } of events(bytes)) {
    const choice = membersOf(listOf(membersOf(data)['choices'])[0]);
    const delta = membersOf(choice['delta']);
    if (typeof delta['content'] === 'string') text += delta['content'];
    finish = choice['finish_reason'] ?? finish;
    for (const call of listOf(delta['tool_calls']).map(membersOf)) {
      const { name, arguments: part } = membersOf(call['function']);
      for (const value of [call['id'], name, part]) {
        if (typeof value === 'string') calls[String(call['index'])] = (calls[String(call['index'])] ?? '') + value;
      }
    }
  }
  return { text, finish, calls };
}

test('whatever the chunks, the client gets the same and the turn is read the same', () => {
  for (const [dialect, path, ours] of [
    [messages, 'anthropic/tool-use.sse', ['get_weather']],
    [chat, 'openai/chat-tool-calls.sse', ['get_weather']],
  ] as const) {
    const bytes = fixture(path);
    const names = [...bytes.toString('utf8').matchAll(/"name": ?"([^"]+)"/g)].map(([, name = '']) => name);
    const first = names[0] ?? ours[0];
    const whole = open(dialect, [first]);
    const expected = [through(whole, [bytes]), whole.endTurn(), whole.finish()] as const;
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const stream = open(dialect, [first]);
      const got = [through(stream, [bytes.subarray(0, cut), bytes.subarray(cut)]), stream.endTurn(), stream.finish()];
      assert.deepEqual(got, expected, `${path} cut at ${cut}`);
    }
    const [, turn] = expected;
    assert.ok(typeof turn === 'object' && turn.calls.length > 0, path);
    assert.ok(!String(expected[0]).includes(`"${first}"`), 'a call of ours was shown');
  }
});

test('chat: what else a chunk holds reaches the client, under the id of the one completion', () => {
  const stream = open(chat, ['search']);
  const said = (data: object): string => stream.event({ name: '', data: JSON.stringify(data) });
  const filter = { id: '', choices: [], prompt_filter_results: [1] };
  assert.deepEqual(events(said(filter))[0]?.data, filter);
  const choice = (more: object): object => ({ index: 0, delta: {}, finish_reason: null, ...more });
  said({ id: 'a', choices: [choice({ finish_reason: 'stop' })] });
  stream.endTurn();
  const second = {
    id: 'b',
    citations: ['x'],
    choices: [choice({ delta: { content: 'y' }, content_filter_results: 2 })],
  };
  const { id, citations, choices } = membersOf(events(said(second))[0]?.data);
  assert.deepEqual([id, citations, membersOf(listOf(choices)[0])['content_filter_results']], ['a', ['x'], 2]);
});

test('a turn without its terminal event is none', () => {
  for (const [dialect, path] of [
    [messages, 'anthropic/cut.sse'],
    [chat, 'openai/chat-cut.sse'],
  ] as const) {
    const stream = open(dialect);
    const bytes = fixture(path);
    through(stream, [bytes.subarray(0, bytes.lastIndexOf('\n\n'))]);
    assert.equal(stream.endTurn(), undefined, path);
  }
});

test('error events pass as they are and are noted', () => {
  for (const [dialect, path] of [
    [messages, 'anthropic/error-mid-stream.sse'],
    [chat, 'openai/chat-error.sse'],
    [chat, 'openai/chat-named-error.sse'],
  ] as const) {
    const bytes = fixture(path);
    const stream = open(dialect);
    const out = through(stream, [bytes]);
    assert.equal(stream.failed, true, path);
    const isError = (event: { name: string; data: unknown }): boolean =>
      event.name === 'error' || membersOf(event.data)['error'] !== undefined;
    assert.deepEqual(events(out).at(-1), events(bytes).findLast(isError));
  }
});

test('blocks of several turns are numbered on, calls of ours leave no gap', () => {
  const stream = open(messages, ['search']);
  const block = (index: number, content: object): { name: string; data: string }[] =>
    [
      { type: 'content_block_start', index, content_block: content },
      { type: 'content_block_stop', index },
    ].map((data) => ({ name: data.type, data: JSON.stringify(data) }));
  const start = { name: 'message_start', data: JSON.stringify({ type: 'message_start', message: { usage: {} } }) };
  const stop = { name: 'message_stop', data: '{"type":"message_stop"}' };
  const call = { type: 'tool_use', id: 't', name: 'search', input: {} };
  let out = '';
  for (const turn of [
    [start, ...block(0, call), ...block(1, { type: 'text', text: 'a' }), stop],
    [
      start,
      ...block(0, { type: 'text', text: 'b' }),
      ...block(1, call),
      ...block(2, { type: 'text', text: 'c' }),
      stop,
    ],
  ]) {
    for (const event of turn) out += stream.event(event);
    assert.ok(stream.endTurn());
  }
  const indices = events(out).flatMap(({ data }) => membersOf(data)['index'] ?? []);
  assert.deepEqual(indices, [0, 0, 1, 1, 2, 2]);
  assert.equal(events(out).filter(({ name }) => name === 'message_start').length, 1);
});
