import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createLimiter } from '../limiter.ts';
import type { Access } from './access.ts';
import { sendJson } from './transport.ts';

const GET = { method: 'GET', path: '/x', action: 'read x' } as const;
const never = new AbortController().signal;

test('a burst of requests makes no more connections than the bound, and keeps those', async (t) => {
  let opened = 0;
  const server = createServer((_, response) => void setImmediate(() => response.end('{}')));
  server.on('connection', () => (opened += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 4 });
  t.after(() => {
    agent.destroy();
    server.close();
  });
  const access: Access = {
    server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    limit: createLimiter(4),
    options: async () => ({ agent }),
  };
  await Promise.all(Array.from({ length: 200 }, () => sendJson(access, GET, never)));
  assert.equal(opened, 4);
});
