/** Client → sidecar → gateway → provider is one exchange: every byte through both hops, one id in both records, tokens counted once, each end felt at the other at once. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';
import { selfSigned } from '../support/self-signed.ts';
import { signer } from '../support/service-account-tokens.ts';

const HOPS = 2;
const BOUND_MS = HOPS * 50;
/** The machine may be busy for a moment; the bound has to hold undisturbed once. */
const TRIES = 5;
const STREAM = [
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-x","usage":{"input_tokens":7,"output_tokens":1}}}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
];

const pem = selfSigned();
const renewed = selfSigned();
const cluster = signer();
const SECRETS = { keys: { provider: 'sk-of-the-provider' }, tls: { 'tls.crt': pem.cert, 'tls.key': pem.key } };

let upstream: RawUpstream;
let gateway: ProxyProcess;
let gatewaySpec: Spec;
let sidecar: ProxyProcess;
let folder: string;
let tokenFile: string;

function sidecarSpec(): Spec {
  const shared = {
    gateway: {},
    credentials: [{ serviceAccountToken: {} }],
    tls: { ca: { secret: { name: 'ca', key: 'pem' } } },
  };
  const url = `https://127.0.0.1:${gateway.listenPort}`;
  return {
    upstreams: [
      { name: 'shared', dialect: 'anthropic', url, ...shared },
      { name: 'direct', dialect: 'anthropic', url: upstream.url },
    ],
    routes: [
      { name: 'direct', match: { headers: [{ name: 'x-direct', values: ['1'] }] }, upstreams: [{ name: 'direct' }] },
      { name: 'all', upstreams: [{ name: 'shared' }] },
    ],
  };
}

before(async () => {
  upstream = await RawUpstream.start();
  folder = await mkdtemp(join(tmpdir(), 'sluice-chain-'));
  tokenFile = join(folder, 'token');
  await writeFile(tokenFile, `${cluster.token()}\n`);
  gatewaySpec = {
    gateway: { tls: { secret: { name: 'tls' } }, clients: [{ name: 'apps', serviceAccount: { namespace: 'apps' } }] },
    upstreams: [
      {
        name: 'claude',
        dialect: 'anthropic',
        url: upstream.url,
        credentials: [{ secret: { name: 'keys', key: 'provider' } }],
      },
    ],
    routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
  };
  gateway = await ProxyProcess.start(gatewaySpec, {
    secrets: SECRETS,
    env: { SLUICE_GATEWAY: 'tls' },
    tokenKeys: cluster.tokenKeys,
  });
  sidecar = await ProxyProcess.start(sidecarSpec(), {
    secrets: { ca: { pem: pem.cert + renewed.cert } },
    env: { SLUICE_GATEWAY_TOKEN_FILE: tokenFile },
  });
});
after(async () => {
  await Promise.all([sidecar?.stop(), gateway?.stop()]);
  await upstream?.close();
  await rm(folder, { recursive: true, force: true });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function open(headers = ''): Promise<{ client: RawClient; exchange: UpstreamExchange }> {
  const client = await RawClient.send(sidecar.listenPort, messagesRequest(undefined, headers));
  const early = client.answer().then(({ body }) => assert.fail(`no request came: ${String(body)}`));
  early.catch(() => {});
  return { client, exchange: await Promise.race([upstream.next(), early]) };
}

async function takeRecords() {
  return { near: await sidecar.takeRecord(), far: await gateway.takeRecord() };
}

test('a stream of odd pieces arrives byte by byte as it was sent, and both records carry the id of the exchange', async () => {
  const { client, exchange } = await open(
    'X-Api-Key: sk-of-the-caller\r\nSluice-Exchange-Id: 019aa5f0-2c4e-7c1a-9b3e-5d1f0a2b3c4d\r\n',
  );
  await exchange.openStream();
  const bytes = Buffer.from(STREAM.join(''));
  let sent = 0;
  for (const size of [1, 2, 3, 50, 1, 200]) {
    await exchange.chunk(bytes.subarray(sent, sent + size));
    sent += size;
    await client.until((text) => text.length > 0);
  }
  await exchange.chunk(bytes.subarray(sent));
  await exchange.endChunks('X-T: t\r\n');
  const answer = await client.answer();
  assert.equal(sha256(answer.body), sha256(bytes));
  assert.equal(answer.trailers, 'X-T: t\r\n');
  const { near, far } = await takeRecords();
  assert.deepEqual([near.end, far.end], ['complete', 'complete']);
  assert.deepEqual([near.hop, near.chained, far.hop, far.chained], ['sidecar', true, 'gateway', undefined]);
  assert.equal(near.exchange, near.id, "the sidecar's caller is no hop: what he calls an id is ignored");
  assert.equal(far.exchange, near.id);
  assert.notEqual(far.id, near.id);
  assert.deepEqual(far.caller, { client: 'apps', serviceAccount: 'apps/agent', pod: 'agent-0' });
  client.destroy();
});

test("the provider gets the gateway's key, and neither the caller's, nor the token, nor the id", async () => {
  const { client, exchange } = await open('X-Api-Key: sk-of-the-caller\r\nAuthorization: Bearer sk-second\r\n');
  assert.equal(exchange.header('x-api-key'), 'sk-of-the-provider');
  for (const word of ['sk-of-the-caller', 'sk-second', 'eyJ', 'sluice-'])
    assert.ok(!exchange.head.includes(word), word);
  await exchange.reply(200, '{}');
  await client.answer();
  client.destroy();
  await takeRecords();
});

test('random bodies pass both ways as they are, with interim answers and odd statuses', async () => {
  const body = `{"model":"claude-x","pad":"${randomBytes(300_000).toString('hex')}"}`;
  const client = await RawClient.send(sidecar.listenPort, messagesRequest(body));
  const exchange = await upstream.next();
  assert.equal(sha256(exchange.body), sha256(Buffer.from(body)));
  await exchange.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
  const back = randomBytes(500_000);
  await exchange.write(`HTTP/1.1 418 Odd Reason\r\ncontent-length: ${back.length}\r\n\r\n`);
  await exchange.write(back);
  const answer = await client.answer();
  assert.match(client.text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/x>\r\n\r\n/);
  assert.match(answer.head, /^HTTP\/1\.1 418 Odd Reason\r\n/);
  assert.equal(sha256(answer.body), sha256(back));
  client.destroy();
  await takeRecords();
});

test('a client that leaves closes the provider’s connection through both hops at once, before the head and in mid-stream', async () => {
  for (const streaming of [false, true]) {
    const times: number[] = [];
    for (let count = 0; count < TRIES; count += 1) {
      const { client, exchange } = await open();
      if (streaming) {
        await exchange.openStream();
        await exchange.chunk(STREAM[0] ?? '');
        await client.until((text) => text.includes('message_start'));
      }
      const leftAt = performance.now();
      client.destroy();
      times.push((await exchange.closed) - leftAt);
      const { near, far } = await takeRecords();
      assert.deepEqual([near.end, far.end], ['client_gone', 'client_gone']);
    }
    assert.ok(Math.min(...times) < BOUND_MS, String(times));
  }
});

test('a stream that the provider cuts is cut at the client too, and is complete at no hop', async () => {
  const { client, exchange } = await open();
  await exchange.openStream();
  await exchange.chunk(STREAM[0] ?? '');
  await client.until((text) => text.includes('message_start'));
  exchange.cut();
  assert.equal((await client.rest()).complete, false);
  const { near, far } = await takeRecords();
  assert.deepEqual([near.end, far.end], ['upstream_cut', 'upstream_cut']);
});

test('over TLS a cut answer without a length is no whole one either', async () => {
  const { client, exchange } = await open();
  await exchange.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n');
  await exchange.write(STREAM[0] ?? '');
  await client.until((text) => text.includes('message_start'));
  exchange.reset();
  assert.equal((await client.rest()).complete, false);
  const { near, far } = await takeRecords();
  assert.deepEqual([near.end, far.end], ['upstream_cut', 'upstream_cut']);
});

test('over TLS a client of HTTP/1.0 never takes a cut answer for the whole', async () => {
  const socket = connectTls({ port: gateway.listenPort, host: '127.0.0.1', ca: pem.cert });
  let closed: 'in order' | 'cut' | undefined;
  socket.on('end', () => (closed ??= 'in order'));
  socket.on('error', () => (closed ??= 'cut'));
  const body = '{"model":"claude-x"}';
  socket.write(
    `POST /v1/messages HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer ${cluster.token()}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(STREAM[0] ?? '');
  await once(socket, 'data');
  const over = new Promise((resolve) => socket.once('close', resolve));
  exchange.cut();
  await over;
  assert.equal(closed, 'cut');
  assert.equal((await gateway.takeRecord()).end, 'upstream_cut');
});

test('tokens are counted by the gateway; the sidecar counts them apart, and its own upstreams as ever', async () => {
  const metric = async (proxy: ProxyProcess, name: string): Promise<number> => {
    const lines = (await proxy.admin('/metrics')).text.split('\n').filter((line) => line.startsWith(`${name}{`));
    return lines
      .filter((line) => line.includes('kind="output"'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const read = async () => ({
    near: await metric(sidecar, 'sluice_tokens_total'),
    chained: await metric(sidecar, 'sluice_chained_tokens_total'),
    far: await metric(gateway, 'sluice_tokens_total'),
  });
  const start = await read();
  for (const headers of ['', 'X-Direct: 1\r\n']) {
    const { client, exchange } = await open(headers);
    await exchange.openStream();
    for (const event of STREAM) await exchange.chunk(event);
    await exchange.endChunks();
    await client.answer();
    client.destroy();
    assert.equal((await sidecar.takeRecord()).chained, headers === '' ? true : undefined);
  }
  await gateway.takeRecord();
  const end = await read();
  assert.deepEqual([end.near - start.near, end.chained - start.chained, end.far - start.far], [5, 5, 5]);
});

test('the id goes to gateways alone: another upstream of the sidecar is sent none', async () => {
  const { client, exchange } = await open(
    'X-Direct: 1\r\nSluice-Exchange-Id: 019aa5f0-2c4e-7c1a-9b3e-5d1f0a2b3c4d\r\n',
  );
  assert.equal(exchange.header('sluice-exchange-id'), undefined);
  await exchange.reply(200, '{}');
  await client.answer();
  client.destroy();
  await sidecar.takeRecord();
});

test('a renewed token is taken up without a restart; one that is refused comes back as the gateway’s own 401', async () => {
  const ask = async (): Promise<number> => {
    const client = await RawClient.send(sidecar.listenPort, post('/v1/messages', '{}'));
    const exchange = upstream.next().then((each) => each.reply(200, '{}'));
    exchange.catch(() => {});
    const { status } = await client.answer();
    client.destroy();
    await takeRecords();
    return status;
  };
  const inForce = (count: number) => sidecar.logged((line) => line['message'] === 'Config in force' && seen() >= count);
  /** At once, as the kubelet does. */
  const renew = async (token: string): Promise<void> => {
    await writeFile(`${tokenFile}.new`, token);
    await rename(`${tokenFile}.new`, tokenFile);
  };
  const seen = (): number => sidecar.ownLog.split('Config in force').length - 1;
  const before = seen();
  await renew(cluster.token({ exp: 1 }));
  await inForce(before + 1);
  const refused = await RawClient.send(sidecar.listenPort, post('/v1/messages', '{}'));
  const answer = await refused.answer();
  assert.equal(answer.status, 401);
  assert.match(answer.body.toString(), /authentication_error.*it has expired/);
  refused.destroy();
  await takeRecords();
  await renew(cluster.token());
  await inForce(before + 2);
  assert.equal(await ask(), 200);
});

test('a pod without the token is told to be made anew, and the gateway hears nothing', async (t) => {
  const bare = await ProxyProcess.start(sidecarSpec(), {
    secrets: { ca: { pem: pem.cert } },
    env: { SLUICE_GATEWAY_TOKEN_FILE: join(folder, 'absent') },
  });
  t.after(() => bare.stop());
  const client = await RawClient.send(bare.listenPort, post('/v1/messages', '{}'));
  const answer = await client.answer();
  assert.equal(answer.status, 503);
  assert.match(answer.body.toString(), /Create the pod anew: .* token that gateway \\"shared\\" asks for/);
  client.destroy();
});

test('a renewed certificate serves new connections without a restart; one that is broken is refused', async () => {
  const fingerprint = async (): Promise<string> => {
    const socket = connectTls({ port: gateway.listenPort, host: '127.0.0.1', rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const first = await fingerprint();
  const tls = { 'tls.crt': renewed.cert, 'tls.key': renewed.key };
  await gateway.apply(gatewaySpec, { ...SECRETS, tls }, cluster.tokenKeys);
  const second = await fingerprint();
  assert.notEqual(second, first);
  const refused = gateway.logged((line) => JSON.stringify(line).includes('cannot be used together'));
  const broken = { ...SECRETS, tls: { ...tls, 'tls.key': pem.key } };
  await Promise.race([gateway.apply(gatewaySpec, broken, cluster.tokenKeys), refused]);
  await refused;
  assert.equal(await fingerprint(), second);
});

test('a plain request to the TLS port gets no answer, and harms nobody', async () => {
  const plain = await RawClient.send(gateway.listenPort, messagesRequest());
  await plain.closed;
  assert.equal(plain.received.length, 0);
});
