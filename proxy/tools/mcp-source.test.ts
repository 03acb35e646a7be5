import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createLogger } from '../log/logger.ts';
import { McpSource } from './mcp-source.ts';

test('a server that could not be asked is not asked again at once', async (t) => {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    request.resume();
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const config = { name: 'lab', url, allow: ['*'], refreshMs: 60_000 };
  const source = new McpSource(config, new Map(), createLogger({ write: () => {} }));
  const { signal } = new AbortController();
  await assert.rejects(source.tools(signal), /"lab" cannot be asked/);
  const before = asked;
  assert.ok(before > 0);
  await assert.rejects(source.tools(signal), /"lab" cannot be asked/);
  assert.equal(asked, before);
  await source.close();
});
