import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { boundedFetch } from './bounded-body.ts';

test('boundedFetch() gives whole bodies as they are, and breaks off what is too long, however it was packed', async (t) => {
  const server = createServer((request, response) => {
    const body = Buffer.alloc(request.url === '/long' ? 1001 : 1000, 'x');
    response.writeHead(200, { 'content-encoding': 'gzip', 'x-own': 'kept' }).end(gzipSync(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bounded = boundedFetch(1000);
  const fits = await bounded(`${url}/fits`);
  assert.equal(fits.headers.get('x-own'), 'kept');
  assert.equal((await fits.text()).length, 1000);
  const long = await bounded(`${url}/long`);
  await assert.rejects(long.text(), /too long/);
});
