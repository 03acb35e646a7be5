/** Promise 2: what was cut is never passed off as complete, and every exchange ends with the one word that is true. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, type SeenRecord, type Spec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const START = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n';
const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const ERROR = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';
const CHAT = 'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n';
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  const spec: Spec = {
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: upstream.url },
      { name: 'gpt', dialect: 'openai', url: upstream.url },
    ],
    routes: [
      { name: 'messages', match: { paths: ['/v1/messages'] }, upstreams: [{ name: 'claude' }] },
      { name: 'rest', upstreams: [{ name: 'gpt' }] },
    ],
  };
  proxy = await ProxyProcess.start(spec);
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

interface Outcome {
  readonly answer: RawAnswer;
  readonly closed: string;
  readonly record: SeenRecord;
}

/** Plays a stream; the client's connection is closed by us, or by the test when the answer is whole. */
async function play(request: string, script: (exchange: UpstreamExchange) => Promise<void>): Promise<Outcome> {
  const client = await RawClient.send(proxy.listenPort, request);
  const exchange = await upstream.next();
  await script(exchange);
  const record = await proxy.takeRecord();
  if (record.end === 'complete' || record.end === 'upstream_error') {
    await client.answer().catch(() => {});
    client.destroy();
  }
  const closed = await client.closed;
  return { answer: await client.rest(), closed, record };
}

async function stream(exchange: UpstreamExchange, ...events: string[]): Promise<void> {
  await exchange.openStream();
  for (const event of events) await exchange.chunk(event);
}

const CHAT_REQUEST = post('/v1/chat/completions', '{"model":"gpt","stream":true}');

test('a connection that is closed or reset in the middle is cut at the client too, its bytes delivered', async () => {
  for (const how of ['cut', 'reset'] as const) {
    const { answer, record } = await play(messagesRequest(), async (exchange) => {
      await stream(exchange, START, DELTA);
      await new Promise((resolve) => setTimeout(resolve, 20));
      exchange[how]();
    });
    assert.equal(record.end, 'upstream_cut');
    assert.equal(answer.complete, false);
    assert.equal(answer.body.toString(), START + DELTA);
  }
});

test('broken framing is a cut', async () => {
  const { answer, record } = await play(messagesRequest(), async (exchange) => {
    await stream(exchange, START);
    await exchange.write('zz\r\nnot a chunk\r\n');
  });
  assert.deepEqual([record.end, answer.complete], ['upstream_cut', false]);
});

test('a stream that ends in order but without its terminal event gets no final chunk', async () => {
  const { answer, record } = await play(messagesRequest(), async (exchange) => {
    await stream(exchange, START, DELTA);
    await exchange.endChunks();
  });
  assert.deepEqual([record.end, answer.complete], ['upstream_cut', false]);
  assert.equal(answer.body.toString(), START + DELTA);
});

test('a Chat stream without [DONE] is complete when every choice has finished, and cut when not', async () => {
  const finished = await play(CHAT_REQUEST, async (exchange) => {
    await stream(exchange, CHAT, FINISH);
    await exchange.endChunks();
  });
  assert.deepEqual([finished.record.end, finished.answer.complete], ['complete', true]);
  const unfinished = await play(CHAT_REQUEST, async (exchange) => {
    await stream(exchange, CHAT);
    await exchange.endChunks();
  });
  assert.deepEqual([unfinished.record.end, unfinished.answer.complete], ['upstream_cut', false]);
});

test('an error event in a 200 stream passes verbatim, is framed as the upstream framed it, and is no success', async () => {
  const { answer, record } = await play(messagesRequest(), async (exchange) => {
    await stream(exchange, START, DELTA, ERROR);
    await exchange.endChunks();
  });
  assert.deepEqual([record.end, record.detail], ['upstream_error', 'overloaded_error']);
  assert.deepEqual([answer.complete, answer.body.toString()], [true, START + DELTA + ERROR]);
});

test('a body that is shorter than its length is cut', async () => {
  const { answer, record } = await play(post('/raw/x', '{}'), async (exchange) => {
    await exchange.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this');
    exchange.cut();
  });
  assert.deepEqual([record.end, answer.complete, answer.body.toString()], ['upstream_cut', false, 'only this']);
});

test('a whole stream, and a whole error answer, are complete', async () => {
  const whole = await play(messagesRequest(), async (exchange) => {
    await stream(exchange, START, DELTA, STOP);
    await exchange.endChunks();
  });
  assert.deepEqual([whole.record.end, whole.answer.complete], ['complete', true]);
  const refused = await play(messagesRequest(), (exchange) => exchange.reply(529, '{"type":"error"}'));
  assert.deepEqual([refused.record.end, refused.record.status], ['complete', 529]);
});
