/** What is said of servers that cannot be reached: with real sockets and certificates, as Node names what failed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, createServer as createTlsServer } from 'node:tls';
import { selfSigned } from '../test/support/self-signed.ts';
import { codeAndWayOut, errorCode } from './unreachable.ts';

async function portOf(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

const told = (url: string): Promise<string> =>
  fetch(url).then(
    () => assert.fail('it answered'),
    (error: unknown) => codeAndWayOut(errorCode(error)),
  );

/** Of a TLS handshake that must fail. */
async function toldOf(options: ConnectionOptions): Promise<string> {
  const [error] = (await once(connect(options), 'error')) as [Error];
  return codeAndWayOut(errorCode(error), options.ca !== undefined);
}

test('a host without an address, a port without a listener, and no TLS where it is asked for', async (t) => {
  assert.match(
    await told('http://no-such-server.invalid'),
    /^(ENOTFOUND|EAI_AGAIN); correct the host of its address, or/,
  );
  const gone = createServer();
  const port = await portOf(t, gone);
  gone.close();
  await once(gone, 'close');
  assert.equal(await told(`http://127.0.0.1:${port}`), 'ECONNREFUSED; start it, or correct the port of its address');
  const plain = await portOf(t, createHttpServer());
  assert.match(
    await told(`https://127.0.0.1:${plain}`),
    /^\w*(SSL|EPROTO)\w*; correct the scheme or the port of its address$/,
  );
});

test('a certificate that nobody vouches for, and one for another name', async (t) => {
  const own = selfSigned();
  const port = await portOf(t, createTlsServer(own));
  assert.equal(
    await toldOf({ host: '127.0.0.1', port }),
    'DEPTH_ZERO_SELF_SIGNED_CERT; name the authority that signed its certificate in tls.ca',
  );
  assert.equal(
    await toldOf({ host: '127.0.0.1', port, ca: selfSigned().cert }),
    'DEPTH_ZERO_SELF_SIGNED_CERT; its certificate is signed by none of the authorities in tls.ca; put the one that signed it there',
  );
  assert.equal(
    await toldOf({ host: '127.0.0.1', port, ca: own.cert, servername: 'claude.example' }),
    'ERR_TLS_CERT_ALTNAME_INVALID; its certificate is for other names; correct the host of its address',
  );
});

test('codeAndWayOut() knows no way out of a connection that broke', () => {
  assert.equal(codeAndWayOut('ECONNRESET'), 'ECONNRESET');
});

test('errorCode() finds the code, never a message', () => {
  const inner = Object.assign(new Error('secret'), { code: 'ECONNRESET' });
  assert.equal(errorCode(Object.assign(new Error('x', { cause: inner }), { code: 'UND_ERR_SOCKET' })), 'ECONNRESET');
  assert.equal(errorCode(new AggregateError([inner])), 'ECONNRESET');
  assert.equal(errorCode(new TypeError('secret')), 'TypeError');
  assert.equal(errorCode('secret'), 'unknown');
});
