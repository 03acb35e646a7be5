import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { http2Handler } from './http2.ts';
import type { DispatchHandler, ResponseController } from './pool.ts';

test('a request that went over HTTP/1 takes no stream of others for its own', async (t) => {
  const server = createServer();
  const arrived = once(server, 'stream') as Promise<[ServerHttp2Stream]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let view: ResponseController | undefined;
  const handler = http2Handler(
    {
      onRequestStart: (controller) => {
        view = controller;
      },
    } as DispatchHandler,
    null,
  );
  handler.onRequestStart?.({ abort() {} } as unknown as ResponseController, {});
  await Promise.resolve();
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const foreign = session.request({ ':method': 'POST', ':path': '/' });
  foreign.write('half');
  const [stream] = await arrived;
  view?.abort(new Error('The exchange is over'));
  assert.equal(foreign.destroyed, false);
  stream.respond({ ':status': 200 });
  const [headers] = (await once(foreign, 'response')) as [{ ':status': number }];
  assert.equal(headers[':status'], 200);
});
