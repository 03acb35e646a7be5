/** During an upstream's silence a client gets pings, always between two events; without them the bytes are the upstream's, all of them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const AFTER_MS = 150;
const IDLE_MS = 1200;
const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const START = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n';
const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

let upstream: RawUpstream;
let proxy: ProxyProcess;

before(async () => {
  upstream = await RawUpstream.start();
  const timeouts = { idle: `${IDLE_MS}ms` };
  proxy = await ProxyProcess.start({
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: upstream.url, timeouts },
      { name: 'gpt', dialect: 'openai', url: upstream.url, timeouts },
    ],
    routes: [
      { name: 'quiet', match: { models: ['quiet'] }, upstreams: [{ name: 'claude' }] },
      {
        name: 'claude',
        match: { paths: ['/v1/messages'] },
        upstreams: [{ name: 'claude' }],
        keepAlive: { after: `${AFTER_MS}ms` },
      },
      { name: 'gpt', upstreams: [{ name: 'gpt' }], keepAlive: { after: `${AFTER_MS}ms` } },
    ],
  });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

const pings = (text: string, ping = PING): number => text.split(ping).length - 1;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('pings come in silence, between events only, and the rest is unchanged', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest('{"model":"m","stream":true}'));
  const exchange = await upstream.next();
  await exchange.openStream();
  // Before the first event, too.
  await client.until((text) => pings(text) === 1);
  await exchange.chunk(START);
  await client.until((text) => pings(text) >= 3);
  const half = DELTA.length / 2;
  await exchange.chunk(DELTA.slice(0, half));
  const before = pings(client.text);
  // Silence inside an event: many times the limit, and not a byte.
  await pause(4 * AFTER_MS);
  assert.equal(pings(client.text), before);
  await exchange.chunk(DELTA.slice(half));
  await client.until((text) => pings(text) > before);
  await exchange.chunk(STOP);
  const atStop = await client.until((text) => text.includes('message_stop'));
  // The stream has said its last word: nothing may follow it.
  await pause(3 * AFTER_MS);
  assert.equal(pings(client.text), pings(atStop));
  await exchange.endChunks();
  const answer = await client.answer();
  assert.equal(answer.body.toString().replaceAll(PING, ''), START + DELTA + STOP);
  assert.equal((await proxy.takeRecord()).end, 'complete');
  client.destroy();
});

test('pings are no sign of life: the idle limit still ends a dead stream', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest('{"model":"m","stream":true}'));
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(START);
  await exchange.closed;
  const { end, side } = await proxy.takeRecord();
  assert.deepEqual([end, side], ['idle', 'upstream']);
  const answer = await client.rest();
  assert.ok(pings(answer.body.toString()) >= 2);
  assert.equal(answer.complete, false);
});

test('an OpenAI client gets a comment', async () => {
  const client = await RawClient.send(proxy.listenPort, post('/v1/chat/completions', '{"model":"gpt","stream":true}'));
  const exchange = await upstream.next();
  const role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n';
  await exchange.openStream();
  await exchange.chunk(role);
  await client.until((text) => pings(text, ': ping\n\n') >= 2);
  await exchange.chunk('data: [DONE]\n\n');
  await exchange.endChunks();
  const answer = await client.answer();
  assert.equal(answer.body.toString().replaceAll(': ping\n\n', ''), `${role}data: [DONE]\n\n`);
  await proxy.takeRecord();
  client.destroy();
});

test('nothing is put into a plain answer, a stream of announced length, or a route that asks for no pings', async () => {
  const body = START + STOP;
  const ways = [
    ['m', `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`],
    ['m', `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n`],
    ['quiet', `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n`],
  ] as const;
  for (const [model, head] of ways) {
    const client = await RawClient.send(proxy.listenPort, messagesRequest(`{"model":"${model}","stream":true}`));
    const exchange = await upstream.next();
    await exchange.write(head + START);
    await pause(3 * AFTER_MS);
    await exchange.write(STOP);
    assert.equal((await client.answer()).body.toString(), body);
    await proxy.takeRecord();
    client.destroy();
  }
});
