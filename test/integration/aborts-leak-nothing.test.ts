/** A thousand clients that leave, at each stage of an exchange, leave nothing behind: no socket, no descriptor, no count. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import type { ExchangeRecord } from '../../proxy/log/record.ts';
import { type Resources, resourcesOf, withoutProc } from '../support/clients/process-resources.ts';
import { counted, metricSum, takeRecords } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';
import { messagesRequest, ProxyProcess } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const ABORTS_A_STAGE = 250;
const CONCURRENCY = 20;
const START = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n';
const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n';

let upstream: RawUpstream;
/** Accepts connections and never answers a TLS hello, so that a connect stands open. */
let deaf: Server;
const deafSockets = new Set<Socket>();
let proxy: ProxyProcess;
let base: Resources;

before(async () => {
  upstream = await RawUpstream.start();
  deaf = createServer((socket) => {
    deafSockets.add(socket);
    socket.on('error', () => {}).on('close', () => deafSockets.delete(socket));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const deafUrl = `https://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  proxy = await ProxyProcess.start({
    upstreams: [
      { name: 'up', dialect: 'anthropic', url: upstream.url },
      { name: 'deaf', dialect: 'anthropic', url: deafUrl, timeouts: { connect: '1s' } },
    ],
    routes: [
      { name: 'deaf', match: { models: ['deaf'] }, upstreams: [{ name: 'deaf' }] },
      { name: 'all', upstreams: [{ name: 'up' }] },
    ],
    logging: { capture: { maxBodyBytes: '1Ki' } },
  });
});
after(async () => {
  await proxy.stop();
  for (const socket of deafSockets) socket.destroy();
  deaf.close();
  await upstream.close();
});

/** Runs `work` so many times, so many at once. */
async function repeat(times: number, work: () => Promise<void>): Promise<void> {
  let left = times;
  const lane = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

/** Leaves once the exchange stands where `reach` brings it; resolves when each upstream connection is closed. */
async function abortAt(reach: (exchange: UpstreamExchange, client: RawClient) => Promise<void>): Promise<void> {
  const closed: Promise<number>[] = [];
  await repeat(ABORTS_A_STAGE, async () => {
    const client = await RawClient.send(proxy.listenPort, messagesRequest());
    const exchange = await upstream.next();
    await reach(exchange, client);
    client.destroy();
    closed.push(exchange.closed);
  });
  await Promise.all(closed);
}

/** An exchange is not necessarily its taker's own client's, so each waits for bytes that every client gets. */
const sawStart = (client: RawClient): Promise<string> => client.until((text) => text.includes('message_start'));

async function backToBase(stage: string): Promise<ExchangeRecord[]> {
  const records = await takeRecords(proxy, ABORTS_A_STAGE);
  assert.deepEqual(counted(records.map(({ end }) => end)), { client_gone: ABORTS_A_STAGE });
  const now = await until(`the proxy's resources to be those of before: ${stage}`, async () => {
    const resources = await resourcesOf(proxy.pid);
    return resources.sockets <= base.sockets && resources.descriptors <= base.descriptors ? resources : undefined;
  });
  assert.ok(now.descriptors > 0);
  assert.equal(await metricSum(proxy, 'sluice_active_streams'), 0);
  return records;
}

test('one exchange that is whole sets the base', { skip: withoutProc }, async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.reply(200, '{}', 'connection: close\r\n');
  await client.answer();
  client.destroy();
  await takeRecords(proxy, 1);
  await exchange.closed;
  // Its journal and its log are open now, its sockets are not: two listeners and what Node itself holds.
  await until('the exchange to be over', async () =>
    (await metricSum(proxy, 'sluice_active_streams')) === 0 ? true : undefined,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  base = await resourcesOf(proxy.pid);
});

test('while connecting', { skip: withoutProc }, async () => {
  await repeat(ABORTS_A_STAGE, async () => {
    const before = deafSockets.size;
    const client = await RawClient.send(proxy.listenPort, messagesRequest('{"model":"deaf"}'));
    // The connect may be shared with one that is under way, so a new socket is no sure sign; a turn of the loop is enough.
    if (deafSockets.size === before) await new Promise((resolve) => setImmediate(resolve));
    client.destroy();
  });
  const records = await backToBase('while connecting');
  const attempts = records.map(
    (record) => `${record.upstream}: ${record.attempts.map(({ outcome }) => outcome).join()}`,
  );
  assert.deepEqual(counted(attempts), { 'deaf: cancelled': ABORTS_A_STAGE });
});

test('before the answer has a head', { skip: withoutProc }, async () => {
  await abortAt(async () => {});
  await backToBase('before the head');
});

test('after the head, before any content', { skip: withoutProc }, async () => {
  await abortAt(async (exchange, client) => {
    await exchange.openStream();
    await exchange.chunk(START);
    await sawStart(client);
  });
  await backToBase('before content');
});

test('in the middle of the content', { skip: withoutProc }, async () => {
  await abortAt(async (exchange, client) => {
    await exchange.openStream();
    await exchange.chunk(START + DELTA);
    await client.until((text) => text.includes('text_delta'));
  });
  await backToBase('mid-stream');
  assert.equal(upstream.waiting, 0);
});
