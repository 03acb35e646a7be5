/** TLS to upstreams is always verified, by the authorities that the resource names; an egress proxy is the only way out where one is named. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

/** A tunnel stands for longer than its connecting may take. */
const CONNECT = '2s';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

let upstream: RawUpstream;
let tls: Server;
let egress: Server;
let proxy: ProxyProcess;
/** Heads of the CONNECT requests that the egress proxy saw. */
const tunnels: string[] = [];

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const socket of [one, other]) {
    socket.on('error', () => {});
    socket.on('close', () => [one, other].map((each) => each.destroy()));
  }
}

/** CONNECT is tunnelled, anything else goes to the raw upstream, which shows what a forward proxy would see. */
function serveEgress(socket: Socket): void {
  socket.once('data', (bytes) => {
    const head = bytes.toString('latin1');
    const target = /^CONNECT (\S+):([0-9]+) /.exec(head);
    const other = connect(target ? Number(target[2]) : upstream.port, '127.0.0.1');
    other.on('connect', () => {
      if (target) {
        tunnels.push(head);
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      } else other.write(bytes);
      join(socket, other);
    });
    other.on('error', () => socket.destroy());
  });
}

before(async () => {
  upstream = await RawUpstream.start();
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', '-', '-out', '-'];
  const pem = execFileSync('openssl', [...request, ...subject], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  const certificate = pem.slice(pem.indexOf('-----BEGIN CERTIFICATE-----'));
  tls = createTlsServer({ key: pem, cert: certificate }, (socket) => join(socket, connect(upstream.port, '127.0.0.1')));
  tls.on('tlsClientError', () => {});
  egress = createServer(serveEgress);
  for (const server of [tls, egress]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const url = `https://127.0.0.1:${portOf(tls)}`;
  const ca = { ca: { secret: { name: 'ca', key: 'pem' } } };
  const way = { url: `http://user:p%40ss@127.0.0.1:${portOf(egress)}` };
  const named = (name: string, more: object): Spec['upstreams'][number] => ({
    name,
    dialect: 'anthropic',
    url,
    ...more,
  });
  proxy = await ProxyProcess.start(
    {
      upstreams: [
        named('trusted', { tls: ca }),
        named('unknown', {}),
        named('tunnelled', { tls: ca, proxy: way, timeouts: { connect: CONNECT } }),
        named('forwarded', { url: 'http://upstream.example:81/base', proxy: way }),
      ],
      routes: ['trusted', 'unknown', 'tunnelled', 'forwarded'].map((name) => ({
        name,
        match: { models: [name] },
        upstreams: [{ name }],
      })),
    },
    { secrets: { ca: { pem: certificate } } },
  );
});
after(async () => {
  await proxy.stop();
  tls.close();
  egress.close();
  await upstream.close();
});

const ask = (model: string, headers = ''): Promise<RawClient> =>
  RawClient.send(proxy.listenPort, messagesRequest(`{"model":"${model}"}`, headers));

test('a named authority is trusted, and an unknown one refused before any byte of the request', async () => {
  const client = await ask('trusted');
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(STOP);
  await exchange.endChunks();
  assert.equal((await client.answer()).body.toString(), STOP);
  client.write(messagesRequest('{"model":"unknown"}'));
  await client.until((text) =>
    text.includes('cannot be reached: DEPTH_ZERO_SELF_SIGNED_CERT; name the authority that signed'),
  );
  assert.equal(upstream.waiting, 0);
  client.destroy();
});

test('https goes through a tunnel of its own for each request at a time, with the proxy’s credentials only on CONNECT', async () => {
  const clients = [await ask('tunnelled'), await ask('tunnelled')];
  const exchanges = [await upstream.next(), await upstream.next()];
  for (const exchange of exchanges) {
    assert.equal(exchange.header('proxy-authorization'), undefined);
    assert.match(exchange.head, /^POST \/v1\/messages HTTP\/1\.1\r\n/);
    await exchange.reply(200, '{}');
  }
  for (const client of clients) {
    assert.equal((await client.answer()).status, 200);
    client.destroy();
  }
  const basic = Buffer.from('user:p@ss').toString('base64');
  assert.equal(tunnels.length, 2);
  for (const head of tunnels)
    assert.match(head, new RegExp(`^CONNECT 127.0.0.1:[0-9]+ [^]+proxy-authorization: Basic ${basic}`, 'i'));
});

test('a stream through a tunnel outlives the limit for connecting', async () => {
  const client = await ask('tunnelled');
  const exchange = await upstream.next();
  await exchange.openStream();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await exchange.chunk(STOP);
  await exchange.endChunks();
  assert.equal((await client.answer()).body.toString(), STOP);
  client.destroy();
});

test('http is asked of the proxy by its whole url, several at a time, headers and their duplicates kept', async () => {
  const clients = [
    await ask('forwarded', 'anthropic-beta: a\r\nanthropic-beta: b\r\nProxy-Authorization: Basic theirs\r\n'),
    await ask('forwarded'),
  ];
  const exchanges = [await upstream.next(), await upstream.next()];
  const [first] = exchanges.filter(({ head }) => head.includes('anthropic-beta'));
  assert.match(first?.head ?? '', /^POST http:\/\/upstream\.example:81\/base\/v1\/messages HTTP\/1\.1\r\n/);
  const seen = (name: string): unknown =>
    first?.headers.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
  assert.deepEqual(seen('anthropic-beta'), ['a', 'b']);
  assert.deepEqual(seen('host'), ['upstream.example:81']);
  assert.deepEqual(seen('proxy-authorization'), [`Basic ${Buffer.from('user:p@ss').toString('base64')}`]);
  for (const exchange of exchanges) await exchange.reply(200, '{}');
  for (const client of clients) {
    assert.equal((await client.answer()).status, 200);
    client.destroy();
  }
});

test('an egress proxy that refuses is a failed connect, and its password is nowhere', async () => {
  const refusing = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n'));
  });
  refusing.listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  const way = { url: `http://user:p%40ss@127.0.0.1:${portOf(refusing)}` };
  await proxy.apply({
    upstreams: [{ name: 'up', dialect: 'anthropic', url: 'https://127.0.0.1:1', proxy: way }],
    routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
  });
  const client = await ask('any');
  const answer = await client.answer();
  assert.equal(answer.status, 502);
  assert.match(
    answer.body.toString(),
    /cannot be reached through its egress proxy: EGRESS_PROXY_407; put user and password that it takes/,
  );
  assert.doesNotMatch(proxy.output, /p%40ss|p@ss/);
  client.destroy();
  refusing.close();
});
