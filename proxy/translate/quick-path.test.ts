import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frameOf, type Passage, type Piece, QuickPath } from './quick-path.ts';
import type { SseEvent } from './sse.ts';
import { PROBE } from './stencil.ts';
import { parseObject } from './wire/json.ts';

/** Chunks that are looked at before the first can be learned from. */
const OPENING = 5;

interface Watch {
  /** Texts that passages were told. */
  readonly taken: string[];
  /** Events that were looked at. */
  read: number;
}

/** A stream of `{"kind":…,"index":…,"text":…}` that becomes one of `{"said":…}`. */
function pathOf(passage?: Partial<Passage>): { path: QuickPath; watch: Watch } {
  const watch: Watch = { taken: [], read: 0 };
  const frame = frameOf('said', { said: PROBE });
  assert.ok(frame);
  const path = new QuickPath({
    pieceOf: (event) => {
      watch.read++;
      return pieceOf(event);
    },
    passage: () => ({ frame, ...passage }),
  });
  return { path, watch };
}

function pieceOf({ data }: SseEvent): Piece | undefined {
  const { kind, index, text } = parseObject(data) ?? {};
  if (kind !== 'text' || typeof index !== 'number' || typeof text !== 'string') return undefined;
  return { kind, index, text };
}

function said(text: string, index = 0): Buffer {
  return Buffer.from(`data: {"kind":"text","index":${index},"text":${JSON.stringify(text)}}\n\n`);
}

/** Chunks that go the general path until one was learned from. */
function learned(given?: Partial<Passage>): ReturnType<typeof pathOf> {
  const { path, watch } = pathOf(given);
  for (let count = 0; count <= OPENING; count++) path.learn(said('Hello'));
  return { path, watch };
}

function written(...texts: readonly string[]): string {
  return texts.map((text) => `event: said\ndata: {"said":${JSON.stringify(text)}}\n\n`).join('');
}

test('quick path: what was seen often enough passes, with any text', () => {
  const { path } = pathOf();
  let chunks = 0;
  while (path.pass(said('Hello')) === undefined && chunks++ < 100) path.learn(said('Hello'));
  assert.equal(chunks, OPENING + 1);
  assert.equal(path.pass(said(' wör"ld\n'))?.toString(), written(' wör"ld\n'));
  assert.equal(path.pass(Buffer.concat([said('a'), said('b')]))?.toString(), written('a', 'b'));
});

test('quick path: other events go the general path, and the next one of the old form the quick one again', () => {
  const { path } = learned();
  for (const other of [said('Hello', 1), Buffer.from('data: [DONE]\n\n'), Buffer.from(': ping\n\n')]) {
    assert.equal(path.pass(other), undefined);
    path.learn(other);
    assert.equal(path.pass(said('x'))?.toString(), written('x'));
  }
});

test('quick path: nothing passes in the middle of an event', () => {
  for (const half of ['data: {', 'data: x\n', 'event: other\n', ': comment', 'data: x\n\r', '\r']) {
    const { path } = learned();
    path.learn(Buffer.from(half));
    assert.equal(path.pass(said('x')), undefined, JSON.stringify(half));
    path.learn(Buffer.from('\n\n'));
    assert.equal(path.pass(said('x'))?.toString(), written('x'), JSON.stringify(half));
  }
});

test('quick path: lines may end in CR LF', () => {
  const { path } = pathOf();
  const chunk = Buffer.from(said('Hello').toString().replaceAll('\n', '\r\n'));
  for (let count = 0; count <= OPENING; count++) path.learn(chunk);
  assert.equal(path.pass(chunk)?.toString(), written('Hello'));
  assert.equal(path.pass(said('Hello')), undefined);
});

test('quick path: bytes that are no text go the general path', () => {
  const { path } = learned();
  const broken = said('aXb');
  broken[broken.indexOf('X')] = 0xff;
  assert.equal(path.pass(broken), undefined);
  assert.equal(path.pass(said('ü'))?.toString(), written('ü'));
});

test('quick path: a passage is told the text of a chunk, and may refuse it', () => {
  const { path, watch } = learned({ take: (text) => text !== 'no' && watch.taken.push(text) > 0 });
  assert.equal(path.pass(Buffer.concat([said('a"'), said('\nü')]))?.length, written('a"', '\nü').length + 1);
  assert.equal(path.pass(said('no')), undefined);
  assert.deepEqual(watch.taken, ['a"\nü']);
});

test('quick path: pieces that have no passage neither pass nor delay those that have one', () => {
  const frame = frameOf('said', { said: PROBE });
  const path = new QuickPath({ pieceOf, passage: ({ index }) => (index === 0 && frame ? { frame } : undefined) });
  for (let count = 0; count < 1000; count++) {
    assert.equal(path.pass(said('Hello', 1)), undefined);
    path.learn(said('Hello', 1));
  }
  let chunks = 0;
  while (path.pass(said('Hello')) === undefined && chunks++ < 100) path.learn(said('Hello'));
  assert.ok(chunks <= OPENING, `${chunks}`);
});

test('quick path: a text that stands at two places, or an event that is not alone, teaches nothing', () => {
  const chunks = [
    '{"kind":"text","index":0,"text":"index"}',
    '{"id":"Hello","kind":"text","index":0,"text":"Hello"}',
    '{"kind":"text","index":0,"text":"Hello"}\n: hi',
    '{"kind":"text","index":0,"text":"Hello"}\n\n: hi',
    '{"kind":"text","index":0,"text":"Hello"}\n\ndata: {}',
  ];
  for (const chunk of chunks.map((data) => Buffer.from(`data: ${data}\n\n`))) {
    const { path } = pathOf();
    for (let count = 0; count < 100; count++) path.learn(chunk);
    assert.equal(path.pass(chunk), undefined);
  }
});

test('quick path: a stream in which every event looks new is looked at ever more rarely', () => {
  const { path, watch } = pathOf();
  for (let count = 0; count < 10_000; count++) {
    const chunk = Buffer.from(`data: {"n":${count},"kind":"text","index":0,"text":"x"}\n\n`);
    assert.equal(path.pass(chunk), undefined);
    path.learn(chunk);
  }
  assert.ok(watch.read > 0 && watch.read < 60, `${watch.read} were read`);
});

test('quick path: no frame is made of an event that holds the probe beside its text', () => {
  assert.equal(frameOf(undefined, { id: PROBE, text: PROBE }), undefined);
  assert.equal(frameOf(undefined, { text: 'x' }), undefined);
});
