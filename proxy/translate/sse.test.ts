import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type SseEvent, SseEventReader, SseEventWriter } from './sse.ts';

const STREAM =
  '\uFEFF: hi\r\nevent: a\r\ndata: {"x":1,\r\ndata: "y":"ü🌍"}\r\n\r\nid: 3\ndata:no space\n\nevent: b\rdata: c\r\r';
const EVENTS: SseEvent[] = [
  { name: 'a', data: '{"x":1,\n"y":"ü🌍"}' },
  { name: undefined, data: 'no space' },
  { name: 'b', data: 'c' },
];

test('sse: events are read from any chunking of the bytes', () => {
  const bytes = Buffer.from(STREAM);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), (places) => {
      const edges = [0, ...places.toSorted((a, b) => a - b), bytes.length];
      assert.deepEqual(read(edges.slice(1).map((end, at) => bytes.subarray(edges[at], end))), {
        events: EVENTS,
        comments: 1,
      });
    }),
  );
});

test('sse: an event without its last line ends is taken when the bytes end in order', () => {
  for (const tail of ['', '\n', '\r', '\r\n', '\n\n'])
    assert.deepEqual(
      read([Buffer.from(`data: x${tail}`)]).events,
      [{ name: undefined, data: 'x' }],
      JSON.stringify(tail),
    );
});

test('sse: bytes that are no text do no harm', () => {
  assert.deepEqual(read([Buffer.from([0xff, 0xfe, 0x0a, 0x0a]), Buffer.from('data: x\n\n')]).events.at(-1)?.data, 'x');
});

test('sse: what is written is read again', () => {
  const writer = new SseEventWriter();
  writer.event('message_stop', { type: 'message_stop' });
  writer.comment();
  writer.event(undefined, { text: 'a\nb' });
  writer.raw(undefined, '[DONE]');
  const bytes = writer.take();
  assert.equal(writer.take().length, 0);
  assert.deepEqual(read([bytes]), {
    events: [
      { name: 'message_stop', data: '{"type":"message_stop"}' },
      { name: undefined, data: '{"text":"a\\nb"}' },
      { name: undefined, data: '[DONE]' },
    ],
    comments: 1,
  });
});

function read(chunks: readonly Buffer[]): { events: SseEvent[]; comments: number } {
  const events: SseEvent[] = [];
  let comments = 0;
  const reader = new SseEventReader(
    (event) => events.push(event),
    () => comments++,
  );
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return { events, comments };
}
