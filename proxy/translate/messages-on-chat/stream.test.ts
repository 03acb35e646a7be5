import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { translated, translationContext } from '../../../test/support/translate/golden-case.ts';
import { sequenceProblems, type WireEvent, wireEvents } from '../../../test/support/translate/messages-sequence.ts';
import { MessagesStream } from './stream.ts';

const DONE = Buffer.from('data: [DONE]\n\n');

test('stream: each piece leaves with the chunk that brought it', () => {
  const stream = new MessagesStream(translationContext());
  assert.deepEqual(names(stream.push(chunk({ role: 'assistant', content: '' }))), ['message_start']);
  assert.deepEqual(names(stream.push(chunk({ content: 'Hel' }))), ['content_block_start', 'content_block_delta']);
  assert.deepEqual(names(stream.push(chunk({ content: 'lo' }))), ['content_block_delta']);
  const call = { index: 0, id: 'call_1', function: { name: 'now', arguments: '' } };
  assert.deepEqual(names(stream.push(chunk({ tool_calls: [call] }))), ['content_block_stop', 'content_block_start']);
  const pieces = ['{"zo', 'ne":"C', 'ET"}'].map((text) =>
    stream.push(chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
  );
  assert.deepEqual(pieces.map(names), [['content_block_delta'], ['content_block_delta'], ['content_block_delta']]);
  assert.deepEqual(names(stream.push(chunk({}, 'tool_calls'))), []);
  assert.deepEqual(names(stream.push(DONE)), ['content_block_stop', 'message_delta', 'message_stop']);
  assert.deepEqual(stream.end(), { bytes: Buffer.alloc(0), whole: true });
});

test('stream: a later parallel call streams as soon as the first is complete', () => {
  const stream = new MessagesStream(translationContext());
  const push = (index: number, text: string, name?: string) =>
    names(stream.push(chunk({ tool_calls: [{ index, id: `call_${index}`, function: { name, arguments: text } }] })));
  push(0, '{"a":', 'first');
  assert.deepEqual(push(1, '{"b":', 'second'), []);
  assert.deepEqual(push(0, '1}'), [
    'content_block_delta',
    'content_block_stop',
    'content_block_start',
    'content_block_delta',
  ]);
  assert.deepEqual(push(1, '2}'), ['content_block_delta']);
});

test('stream: a broken one ends in one error, and nothing follows', () => {
  const stream = new MessagesStream(translationContext());
  stream.push(chunk({ content: 'Hel' }));
  const [error] = wireEvents(stream.farewell('The upstream closed its connection').toString());
  assert.deepEqual(error?.data, {
    type: 'error',
    error: { type: 'api_error', message: 'The upstream closed its connection' },
  });
  assert.equal(stream.farewell('again').length, 0);
  assert.equal(stream.push(chunk({ content: 'lo' })).length, 0);
  assert.deepEqual(stream.end(), { bytes: Buffer.alloc(0), whole: false });
});

test('stream: nothing follows the end, not even a farewell', () => {
  const stream = new MessagesStream(translationContext());
  stream.push(chunk({ content: 'Hi' }, 'stop'));
  stream.push(DONE);
  assert.equal(stream.push(chunk({ content: 'more' })).length, 0);
  assert.equal(stream.farewell('too late').length, 0);
  assert.equal(stream.end().whole, true);
});

test('stream: no answer at all is not a whole one', () => {
  for (const text of ['', 'data: [DONE]\n\n', ': hello\n\n', 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n']) {
    const stream = new MessagesStream(translationContext());
    stream.push(Buffer.from(text));
    assert.equal(stream.end().whole, false, JSON.stringify(text));
  }
});

test('stream: half an event behind the finish does not spoil a whole answer, before it it does', () => {
  const half = Buffer.from('data: {"choices":[{"delta":{"con');
  const finished = new MessagesStream(translationContext());
  finished.push(chunk({ content: 'Hi' }, 'stop'));
  finished.push(half);
  assert.equal(finished.end().whole, true);
  const open = new MessagesStream(translationContext());
  open.push(chunk({ content: 'Hi' }));
  open.push(half);
  assert.equal(open.end().whole, false);
});

test('stream: a megabyte of arguments in pieces arrives whole', () => {
  const value = JSON.stringify({ text: 'ü"\\'.repeat(150_000) });
  const pieces = value.match(/[\s\S]{1,4096}/g) ?? [];
  const calls = pieces.map((text, at) =>
    chunk({ tool_calls: [{ index: 0, ...(at === 0 && { id: 'c' }), function: { name: 'write', arguments: text } }] }),
  );
  const events = eventsOf([...calls, chunk({}, 'tool_calls'), DONE]);
  assert.equal(inputs(events)[0], value);
});

test('stream: an event without end is an error, not memory', () => {
  const stream = new MessagesStream(translationContext());
  stream.push(chunk({ content: 'Hi' }));
  const megabyte = Buffer.alloc(1024 ** 2, 'x');
  let out = stream.push(Buffer.from('data: '));
  for (let count = 0; count < 40; count++) out = Buffer.concat([out, stream.push(megabyte)]);
  assert.deepEqual(names(out), ['error']);
  assert.equal(stream.end().whole, false);
});

test('stream: what waits behind a call without end is bounded', () => {
  const stream = new MessagesStream(translationContext());
  stream.push(chunk({ tool_calls: [{ index: 0, id: 'call_0', function: { name: 'first', arguments: '{' } }] }));
  const content = 'x'.repeat(1024 ** 2);
  const out = Buffer.concat(Array.from({ length: 40 }, () => stream.push(chunk({ content }))));
  assert.deepEqual(names(out), ['error']);
});

/** One step of an upstream that does anything a Chat upstream was seen to do. */
const step = fc.oneof(
  fc.record({ content: fc.option(fc.string({ unit: 'binary' })) }),
  fc.record({ reasoning_content: fc.option(fc.string()), content: fc.constant(null) }),
  fc.record({ role: fc.constant('assistant'), refusal: fc.option(fc.string()) }),
  fc.record({ tool: fc.nat(3), piece: fc.nat(5) }),
);
type Step = { readonly tool?: number; readonly piece?: number } & Record<string, unknown>;

test('stream: any order of deltas becomes a valid sequence that loses nothing', () => {
  const finish = fc.constantFrom('stop', 'tool_calls', 'length', 'content_filter', 'unheard_of');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), finish, fc.boolean(), (steps, reason, done) => {
      const upstream = new Upstream();
      const chunks = [chunk({ role: 'assistant' }), ...steps.map((each) => upstream.step(each)), ...upstream.rest()];
      const events = eventsOf([...chunks, chunk({}, reason), ...(done ? [DONE] : [])]);
      assert.deepEqual(sequenceProblems(events), []);
      assert.equal(events.at(-1)?.name, 'message_stop');
      assert.deepEqual(inputs(events).toSorted(), upstream.inputs.toSorted());
      assert.equal(prose(events, 'text'), upstream.text);
      assert.equal(prose(events, 'thinking'), upstream.thinking);
    }),
    { numRuns: 500 },
  );
});

test('stream: cut anywhere it is valid, and whole only if nothing is missing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), fc.double({ min: 0, max: 1, noNaN: true }), (steps, share) => {
      const upstream = new Upstream();
      const bytes = Buffer.concat([
        ...steps.map((each) => upstream.step(each)),
        ...upstream.rest(),
        chunk({}, 'stop'),
        DONE,
      ]);
      const kept = bytes.subarray(0, Math.floor(bytes.length * share));
      const events = eventsOf([kept]);
      assert.deepEqual(sequenceProblems(events), []);
      const isWhole = events.at(-1)?.name === 'message_stop';
      assert.equal(isWhole, kept.includes('"finish_reason":"stop"}]}'), kept.toString().slice(-80));
    }),
    { numRuns: 300 },
  );
});

/** Sends steps as chunks and keeps what it said. Each call's arguments are one JSON object in up to six pieces. */
class Upstream {
  text = '';
  thinking = '';
  readonly #left = new Map<number, string[]>();

  get inputs(): string[] {
    return [...this.#left.keys()].map(argumentsOf);
  }

  step({ tool, ...delta }: Step): Buffer {
    if (tool !== undefined) return this.#call(tool);
    this.thinking += wordsOf(delta['reasoning_content']);
    this.text += wordsOf(delta['content']) + wordsOf(delta['refusal']);
    return chunk(delta);
  }

  /** The pieces of every call that are still missing, interleaved. */
  rest(): Buffer[] {
    const chunks: Buffer[] = [];
    while ([...this.#left.values()].some((pieces) => pieces.length > 0))
      for (const [tool, pieces] of this.#left) if (pieces.length > 0) chunks.push(this.#call(tool));
    return chunks;
  }

  #call(tool: number): Buffer {
    const first = !this.#left.has(tool);
    if (first) this.#left.set(tool, argumentsOf(tool).match(/.{1,4}/g) ?? []);
    const piece = this.#left.get(tool)?.shift() ?? '';
    const head = first ? { id: `call_${tool}`, type: 'function' } : {};
    return chunk({
      tool_calls: [{ index: tool, ...head, function: { ...(first && { name: `tool_${tool}` }), arguments: piece } }],
    });
  }
}

function wordsOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function argumentsOf(tool: number): string {
  return JSON.stringify({ tool, text: '}"{\\ü', list: [{}, []] });
}

function chunk(delta: object, finish: string | null = null): Buffer {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return Buffer.from(`data: ${JSON.stringify({ id: 'chatcmpl-1', model: 'gpt-5', choices })}\n\n`);
}

function eventsOf(chunks: readonly Buffer[]): WireEvent[] {
  return wireEvents(translated(new MessagesStream(translationContext()), chunks));
}

function names(bytes: Buffer): string[] {
  return wireEvents(bytes.toString()).map(({ name }) => name);
}

/** The input of each tool block as it came, in order. */
function inputs(events: readonly WireEvent[]): string[] {
  const found = new Map<unknown, string>();
  for (const { name, data } of events) {
    const block = data['content_block'] as { type?: string } | undefined;
    if (name === 'content_block_start' && block?.type === 'tool_use') found.set(data['index'], '');
    const piece = (data['delta'] as { partial_json?: string } | undefined)?.partial_json;
    if (piece !== undefined) found.set(data['index'], `${found.get(data['index'])}${piece}`);
  }
  return [...found.values()];
}

function prose(events: readonly WireEvent[], member: 'text' | 'thinking'): string {
  return events.map(({ data }) => (data['delta'] as Record<string, string> | undefined)?.[member] ?? '').join('');
}
