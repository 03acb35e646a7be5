import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { HttpTool } from '#contract/compiled-tool-loop.ts';
import { httpTool } from './http-tool.ts';
import type { ToolResult } from './tool.ts';

let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {};
const server = createServer((request, response) => handle(request, response));
let url: string;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const SECRETS = new Map([['file', 'tool-key']]);

function call(more: Partial<HttpTool> = {}, secrets: ReadonlyMap<string, string> = SECRETS): Promise<ToolResult> {
  const config = { name: 'look', description: 'd', url, inputSchema: { type: 'object' }, ...more };
  return httpTool(config, secrets, 20).call({ a: 1 }, AbortSignal.timeout(10_000));
}

test('a POST of name and arguments, with the credential in its header', async () => {
  const seen: unknown[] = [];
  handle = (request, response) => {
    request.setEncoding('utf8').on('data', (body: string) => {
      seen.push(request.method, request.headers.authorization ?? request.headers['x-key'], JSON.parse(body));
      response.end('result');
    });
  };
  const asked = { name: 'look', arguments: { a: 1 } };
  const bearer = { file: 'file', header: 'authorization', scheme: 'bearer' } as const;
  assert.deepEqual(await call({ credential: bearer }), { content: [{ kind: 'text', text: 'result' }], isError: false });
  await call({ credential: { file: 'file', header: 'x-key', scheme: 'bare' } });
  await call();
  assert.deepEqual(seen, ['POST', 'Bearer tool-key', asked, 'POST', 'tool-key', asked, 'POST', undefined, asked]);
  await assert.rejects(call({ credential: bearer }, new Map()), /credential of this tool is not there/);
  assert.equal(seen.length, 9, 'something was sent without its credential');
});

test('images by their type, errors by their status, no more than the bound is read', async () => {
  handle = (_request, response) => response.setHeader('content-type', 'image/png').end(Buffer.from([1, 2, 3]));
  assert.deepEqual((await call()).content, [{ kind: 'image', mediaType: 'image/png', base64: 'AQID' }]);
  handle = (_request, response) => response.writeHead(404).end('nothing');
  assert.deepEqual(await call(), { content: [{ kind: 'text', text: 'Status 404: nothing' }], isError: true });
  let closed: Promise<unknown> | undefined;
  handle = (_request, response) => {
    closed = once(response, 'close');
    response.write('x'.repeat(1000));
  };
  const [part] = (await call()).content;
  assert.equal(part?.kind === 'text' && part.text.length, 21);
  await closed;
});

test('redirects are not followed, and failures name no address', async () => {
  let asked = 0;
  handle = (_request, response) => {
    asked += 1;
    response.writeHead(307, { location: '/elsewhere' }).end();
  };
  await assert.rejects(call(), /cannot be reached/);
  assert.equal(asked, 1);
  await assert.rejects(call({ url: 'http://127.0.0.1:9/' }), (error: Error) => {
    assert.match(error.message, /cannot be reached/);
    assert.doesNotMatch(error.message, /127\.0\.0\.1/);
    return true;
  });
});
