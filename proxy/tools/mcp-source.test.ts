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
  const lines: string[] = [];
  const counted: string[] = [];
  const source = new McpSource(config, new Map(), {
    logger: createLogger({ write: (line) => lines.push(line) }),
    meters: { toolListFailed: (name, reason) => counted.push(`${name} ${reason}`) },
  });
  const { signal } = new AbortController();
  await assert.rejects(source.tools(signal), /"lab" cannot be asked/);
  const before = asked;
  assert.ok(before > 0);
  await assert.rejects(source.tools(signal), /"lab" cannot be asked/);
  assert.equal(asked, before);
  assert.deepEqual(counted, ['lab refused']);
  assert.equal(lines.length, 1);
  const { message, server: named, reason, wayOut } = JSON.parse(lines[0] ?? '') as Record<string, string>;
  assert.match(message ?? '', /^MCP server cannot be asked for its tools; models do without its tools/);
  assert.deepEqual([named, reason, wayOut], ['lab', 'HTTP 500', "Look at the server's own log."]);
  await source.close();
});
