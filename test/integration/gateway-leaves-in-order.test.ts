/** A gateway that is told to stop goes on serving while others learn of it, sends its clients elsewhere, finishes what it has, and ends with 0. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const KEY = 'X-Api-Key: gw-key\r\n';
const LINGER_MS = 1500;

let upstream: RawUpstream;
let proxy: ProxyProcess;

before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start(
    {
      gateway: { plaintext: {}, clients: [{ name: 'ci', secret: { name: 'keys', key: 'ci' } }] },
      upstreams: [{ name: 'up', dialect: 'anthropic', url: upstream.url }],
      routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
    },
    { secrets: { keys: { ci: 'gw-key' } }, env: { SLUICE_GATEWAY: 'plaintext', SLUICE_LINGER_MS: String(LINGER_MS) } },
  );
});
after(async () => {
  await proxy?.stop();
  await upstream?.close();
});

test('requests that still come are served, each on its last connection; a stream finishes; then it is over', async () => {
  const streaming = await RawClient.send(proxy.listenPort, messagesRequest(undefined, KEY));
  const first = await upstream.next();
  await first.openStream();
  await first.chunk('event: ping\ndata: {"type":"ping"}\n\n');
  await streaming.until((text) => text.includes('"ping"'));
  proxy.signal('SIGTERM');
  await proxy.logged((line) => line['message'] === 'Draining');
  assert.equal((await proxy.admin('/readyz')).status, 503);
  const late = await RawClient.send(proxy.listenPort, messagesRequest(undefined, KEY));
  await (await upstream.next()).reply(200, '{}');
  const answer = await late.answer();
  assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close']);
  assert.equal(await late.closed, 'end');
  await first.chunk('event: message_stop\ndata: {"type":"message_stop"}\n\n');
  await first.endChunks();
  assert.equal((await streaming.answer()).complete, true);
  assert.equal(await proxy.exited, 0);
  const ends = [await proxy.takeRecord(), await proxy.takeRecord()].map(({ end }) => end);
  assert.deepEqual(ends, ['complete', 'complete']);
});
