import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { listenForOwn } from './own-listener.ts';

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('listenForOwn() serves the own endpoints on the loopback, and nothing else', async (t) => {
  const port = await freePort();
  const close = await listenForOwn('10.1.2.3', port, (request, response) => {
    if (request.url !== '/gateway/health') return false;
    response.end('fine');
    return true;
  });
  assert.ok(close);
  t.after(close);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/gateway/health`)).text(), 'fine');
  const other = await fetch(`http://127.0.0.1:${port}/v1/messages`, { method: 'POST', body: '{}' });
  assert.equal(other.status, 404);
  assert.match(await other.text(), /Only the own endpoints are here/);
});

test('listenForOwn() leaves the loopback to a gateway that listens there itself', async () => {
  for (const host of ['127.0.0.1', '0.0.0.0', '::', '::1']) {
    assert.equal(await listenForOwn(host, await freePort(), () => assert.fail('was asked')), undefined);
  }
});
