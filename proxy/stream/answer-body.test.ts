import assert from 'node:assert/strict';
import test from 'node:test';
import { AnswerBody, type BodySink } from './answer-body.ts';

function bodyWithFlow(): { body: AnswerBody; flow: string[]; sink: BodySink & { seen: string[] } } {
  const flow: string[] = [];
  const seen: string[] = [];
  const body = new AnswerBody({
    pause: () => flow.push('pause'),
    resume: () => flow.push('resume'),
    abort: () => flow.push('abort'),
  });
  const sink = {
    seen,
    chunk: (bytes: Buffer) => seen.push(bytes.toString('latin1', 0, 4)),
    end: () => seen.push('end'),
    cut: (cause: Error) => seen.push(`cut ${cause.message}`),
  };
  return { body, flow, sink };
}

test('AnswerBody hands over what it held, in order, then what follows, and ends once', () => {
  const { body, sink } = bodyWithFlow();
  body.push(Buffer.from('one'));
  body.push(Buffer.from('two'));
  body.consume(sink);
  body.push(Buffer.from('three'));
  body.finish([]);
  body.fail(new Error('late'));
  assert.deepEqual(sink.seen, ['one', 'two', 'thre', 'end']);
});

test('AnswerBody tells a cut that came before anybody took it', () => {
  const { body, sink } = bodyWithFlow();
  body.fail(new Error('x'));
  assert.deepEqual([body.state, body.cause?.message], ['cut', 'x']);
  body.consume(sink);
  assert.deepEqual(sink.seen, ['cut x']);
});

test('AnswerBody makes the upstream wait when it holds a mebibyte, and lets it go on when taken', () => {
  const { body, flow, sink } = bodyWithFlow();
  body.push(Buffer.alloc(1024 ** 2 - 1));
  assert.deepEqual(flow, []);
  body.push(Buffer.alloc(1));
  assert.deepEqual(flow, ['pause']);
  body.consume(sink);
  assert.deepEqual(flow, ['pause', 'resume']);
});

test('AnswerBody closes the connection on abort, once and not after its end, and falls silent', () => {
  const { body, flow, sink } = bodyWithFlow();
  body.consume(sink);
  body.abort(new Error('over'));
  body.abort(new Error('over'));
  body.push(Buffer.from('x'));
  assert.deepEqual([flow, sink.seen], [['abort'], []]);
  const ended = bodyWithFlow();
  ended.body.finish([]);
  ended.body.abort(new Error('over'));
  assert.deepEqual(ended.flow, []);
});
