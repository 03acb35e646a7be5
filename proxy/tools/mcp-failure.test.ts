import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { McpConnection } from './mcp-connection.ts';
import { type McpFailure, mcpFailure } from './mcp-failure.ts';

/** What the library makes of it is part of what is tested. */
async function failureOf(url: string): Promise<McpFailure> {
  const server = { name: 'lab', url, allow: ['*'], refreshMs: 60_000 };
  const connection = new McpConnection(server, new Map(), () => {});
  try {
    await connection.use((client) => client.listTools(), AbortSignal.timeout(20_000));
  } catch (error) {
    return mcpFailure(error);
  } finally {
    await connection.close();
  }
  return assert.fail('the server was asked');
}

async function portOf(t: TestContext, server: ReturnType<typeof createSocketServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

for (const [status, wayOut] of [
  [401, /Secret that its `secret` names/],
  [403, /Secret that its `secret` names/],
  [404, /Correct its url/],
  [500, /the server's own log/],
] as const) {
  test(`mcpFailure() says that a server answered ${status}, and nothing of what it said`, async (t) => {
    const port = await portOf(
      t,
      createServer((request, response) => {
        request.resume();
        response.writeHead(status, { connection: 'close' }).end('sk-private');
      }),
    );
    const failure = await failureOf(`http://127.0.0.1:${port}/mcp`);
    assert.deepEqual([failure.kind, failure.reason], ['refused', `HTTP ${status}`]);
    assert.match(failure.wayOut, wayOut);
    assert.doesNotMatch(JSON.stringify(failure), /private/);
  });
}

test('mcpFailure() tells nobody there, a name that is none, a cut, TLS where there is none, and another kind of server', async (t) => {
  const gone = createSocketServer();
  const free = await portOf(t, gone);
  gone.close();
  await once(gone, 'close');
  const refused = await failureOf(`http://127.0.0.1:${free}/mcp`);
  assert.deepEqual([refused.kind, refused.reason], ['unreachable', 'ECONNREFUSED']);
  assert.match(refused.wayOut, /Start it/);
  const unknown = await failureOf('http://no-such-server.invalid/mcp');
  assert.deepEqual(unknown.kind, 'unreachable');
  assert.match(`${unknown.reason} ${unknown.wayOut}`, /^(ENOTFOUND|EAI_AGAIN) Correct the host/);
  const cut = await portOf(
    t,
    createSocketServer((socket) => socket.destroy()),
  );
  assert.equal((await failureOf(`http://127.0.0.1:${cut}/mcp`)).kind, 'unreachable');
  const page = await portOf(
    t,
    createServer((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/html', connection: 'close' }).end('<html>');
    }),
  );
  const tls = await failureOf(`https://127.0.0.1:${page}/mcp`);
  assert.equal(tls.kind, 'unreachable');
  assert.match(`${tls.reason} ${tls.wayOut}`, /SSL\w* Correct the scheme/);
  assert.equal((await failureOf(`http://127.0.0.1:${page}/mcp`)).kind, 'no_mcp');
});

test('mcpFailure() tells a timeout, and what is no error at all', () => {
  const late = Object.assign(new Error('late'), { code: 'REQUEST_TIMEOUT' });
  assert.deepEqual(mcpFailure(late).kind, 'timeout');
  assert.deepEqual(mcpFailure('x'), { kind: 'no_mcp', reason: 'unknown', wayOut: mcpFailure(new Error('x')).wayOut });
});
