/** Bundles of authorities: held to what OpenSSL trusts of them in a handshake. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { selfSigned } from '../test/support/self-signed.ts';
import { bundleFacts } from './authorities.ts';

const own = selfSigned();
const other = selfSigned().cert;
const { cert } = own;
/** Bundle, how many certificates it has, how many can be read, and whether `cert` is among these. */
const CASES: Readonly<Record<string, readonly [pem: string, found: number, readable: number, trusted: boolean]>> = {
  'one certificate': [cert, 1, 1, true],
  'several with text between': [`# other\n${other}\n# own\n${cert}`, 2, 2, true],
  'lines of Windows, and a mark of byte order': [`\uFEFF${cert.replaceAll('\n', '\r\n')}`, 1, 1, true],
  'the other label of certificates': [cert.replaceAll(' CERT', ' X509 CERT'), 1, 1, true],
  'another one': [other, 1, 1, false],
  'no PEM': ['hello', 0, 0, false],
  'a key': [own.key, 0, 0, false],
  'lines that are indented': [cert.replaceAll(/^/gm, '  '), 0, 0, false],
  'a garbled one': [cert.replace('M', '%'), 1, 0, false],
  'one behind a garbled one': [`${other.replace('M', '%')}${cert}`, 2, 0, false],
  'one before one that is cut': [`${cert}${other.slice(0, 200)}`, 2, 1, true],
  'two without a line break between': [`${cert.trimEnd()}${other}`, 1, 0, false],
};

for (const [name, [pem, found, readable, trusted]] of Object.entries(CASES)) {
  test(`bundleFacts() of ${name}`, async (t) => {
    const server = createServer(own).on('tlsClientError', () => undefined);
    t.after(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: '127.0.0.1', port, ca: pem });
    t.after(() => socket.destroy());
    const shaken = await once(socket, 'secureConnect').then(
      () => true,
      () => false,
    );
    assert.deepEqual([bundleFacts(pem), shaken], [{ found, readable }, trusted]);
  });
}
