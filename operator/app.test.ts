import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { runOperator } from './app.ts';
import type { Access } from './cluster/access.ts';
import { createLimiter } from './limiter.ts';
import { createLogger } from './logger.ts';
import { readSettings } from './settings.ts';

async function accessTo(t: TestContext, server: Server): Promise<Access> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    limit: createLimiter(1),
    options: async () => ({}),
  };
}

/** There is no lease yet; each write is stored, and `written` is told of it. */
function leaseServer(written: (holder: string) => void): Server {
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const lease = (await json(request)) as { metadata: object; spec: { holderIdentity: string } };
    written(lease.spec.holderIdentity);
    return { ...lease, metadata: { ...lease.metadata, resourceVersion: '1' } };
  };
  return createServer((request, response) => {
    assert.match(request.url ?? '', /\/leases/);
    if (request.method === 'GET') response.writeHead(404).end('{}');
    else void answer(request).then((lease) => response.end(JSON.stringify(lease)));
  });
}

test('the lease is taken, renewed and given back though every other request hangs', async (t) => {
  const renewed = Promise.withResolvers<void>();
  const holders: string[] = [];
  const written = (holder: string): void => {
    if (holders.push(holder) === 2) renewed.resolve();
  };
  const stopping = new AbortController();
  const settings = readSettings({ SLUICE_SIDECAR_IMAGE: 'x:1', POD_NAMESPACE: 'n', SLUICE_METRICS_PORT: '0' });
  const ended = runOperator(
    {
      settings,
      access: await accessTo(t, createServer()),
      leaseAccess: await accessTo(t, leaseServer(written)),
      logger: createLogger('error', { write: () => undefined }),
    },
    stopping.signal,
  );
  await renewed.promise;
  stopping.abort(new Error('Enough'));
  assert.equal(await ended, 'stopped');
  assert.equal(new Set(holders).size, 1);
});
