import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createGunzip, gzipSync } from 'node:zlib';
import { translationContext } from '../../test/support/translate/golden-case.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { messagesOnChat } from './messages-on-chat/messages-on-chat.ts';
import { DecodingSink, decodedFlow, TranslatingSink } from './translating-sink.ts';

/** Begins with what cannot be packed, so that the decoder has more than it takes at once. */
const BODY = Buffer.concat([randomBytes(256 * 1024), Buffer.alloc(16 * 1024 ** 2)]);

test('a few bytes that become very many come as fast as the client takes them, and all come', async () => {
  const decoder = createGunzip();
  const asked: string[] = [];
  const upstream = { pause: () => asked.push('pause'), resume: () => asked.push('resume'), abort: () => {} };
  const flow = decodedFlow(decoder, upstream);
  let got = 0;
  let sinceResumed = 0;
  let most = 0;
  const whole = Promise.withResolvers<void>();
  const sink = new DecodingSink(
    decoder,
    {
      chunk: ({ length }) => {
        got += length;
        sinceResumed += length;
        most = Math.max(most, sinceResumed);
        flow.pause();
        setImmediate(() => {
          sinceResumed = 0;
          flow.resume();
        });
      },
      end: () => whole.resolve(),
      cut: whole.reject,
    },
    upstream,
  );
  sink.chunk(gzipSync(BODY));
  assert.equal(asked[0], 'pause');
  sink.end([]);
  await whole.promise;
  assert.equal(got, BODY.length);
  assert.ok(most <= 256 * 1024, `${most} bytes came at once`);
  assert.ok(asked.includes('resume'));
});

test('whoever aborts ends the decoder as well', () => {
  const decoder = createGunzip();
  const reasons: Error[] = [];
  const flow = decodedFlow(decoder, { pause() {}, resume() {}, abort: (reason) => reasons.push(reason) });
  flow.abort(new Error('over'));
  assert.equal(decoder.destroyed, true);
  assert.equal(reasons.length, 1);
});

/** Framed chunks as the upstream sent them in one packet. */
function packet(...chunks: readonly string[]): { framed: Buffer; bounds: number[] } {
  let text = '';
  const bounds: number[] = [];
  for (const chunk of chunks) {
    text += `${chunk.length.toString(16)}\r\n`;
    bounds.push(text.length, text.length + chunk.length);
    text += `${chunk}\r\n`;
  }
  return { framed: Buffer.from(text), bounds };
}

function textChunk(content: string): string {
  return `data: {"id":"1","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`;
}

function listening(): { sink: TranslatingSink; writes: string[]; chunks: string[] } {
  const writes: string[] = [];
  const chunks: string[] = [];
  const stream = messagesOnChat.stream(translationContext());
  const body = new AnswerBody({ pause() {}, resume() {}, abort() {} });
  body.consume({
    chunk: (bytes) => chunks.push(bytes.toString()),
    framed(framed, bounds) {
      writes.push(framed.toString());
      for (let at = 0; at < bounds.length; at += 2) chunks.push(framed.toString('utf8', bounds[at], bounds[at + 1]));
    },
    end: () => chunks.push('end'),
    cut: () => chunks.push('cut'),
  });
  return { sink: new TranslatingSink(stream, body, { abort() {} }), writes, chunks };
}

test('chunks of one packet leave as one, in a frame of its own', () => {
  const whole = listening();
  const { sink, writes, chunks } = listening();
  for (const each of ['Hel', 'lo', ' you', 'x']) whole.sink.chunk(Buffer.from(textChunk(each)));
  const first = packet(textChunk('Hel'), textChunk('lo'));
  sink.framed(first.framed, first.bounds);
  const second = packet(textChunk(' you'), textChunk('x'));
  sink.framed(second.framed, second.bounds);
  assert.equal(chunks.length, 2);
  assert.equal(chunks.join(''), whole.chunks.join(''));
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  assert.deepEqual(writes, framed);
});

test('a packet that completes no event leaves nothing', () => {
  const { sink, writes, chunks } = listening();
  const { framed, bounds } = packet('data: {"id"');
  sink.framed(framed, bounds);
  assert.deepEqual([writes, chunks], [[], []]);
});

test('what came before an event that cannot be translated is passed on, and the stream is cut', () => {
  const chunks: string[] = [];
  const cuts: string[] = [];
  const body = new AnswerBody({ pause() {}, resume() {}, abort() {} });
  body.consume({
    chunk: (bytes) => chunks.push(bytes.toString()),
    end: () => chunks.push('end'),
    cut: ({ message }) => cuts.push(message),
  });
  let pushed = 0;
  const stream = {
    push: (bytes: Buffer) => {
      if (pushed++ > 0) throw new RangeError('content');
      return bytes;
    },
    end: () => ({ bytes: Buffer.alloc(0), whole: false }),
    farewell: () => Buffer.alloc(0),
  };
  const { framed, bounds } = packet('first', 'second', 'third');
  new TranslatingSink(stream, body, { abort() {} }).framed(framed, bounds);
  assert.deepEqual(chunks, ['first']);
  assert.deepEqual(cuts, ['The answer held an event that cannot be translated (RangeError)']);
});
