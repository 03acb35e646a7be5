/** CORS, where the resource asks for it: preflights are answered here, named origins alone are let in, own endpoints never. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const ORIGIN = 'https://app.example';

let upstream: RawUpstream;
let proxy: ProxyProcess;

before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start({ ...simpleSpec(upstream.url), listen: { cors: { allowOrigins: [ORIGIN] } } });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

const preflight = (path: string, origin: string): string =>
  `OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n` +
  'Access-Control-Request-Headers: x-api-key,anthropic-version\r\n\r\n';

async function ask(request: string): Promise<RawAnswer> {
  const client = await RawClient.send(proxy.listenPort, request);
  const answer = await client.answer();
  client.destroy();
  return answer;
}

test('a preflight is answered with 204 and reaches no upstream', async () => {
  const answer = await ask(preflight('/v1/messages', ORIGIN));
  assert.equal(answer.status, 204);
  assert.deepEqual(
    ['allow-origin', 'allow-methods', 'allow-headers'].map((name) => answer.headers[`access-control-${name}`]),
    [ORIGIN, 'POST', 'x-api-key, anthropic-version'],
  );
  assert.equal(answer.headers['vary'], 'Origin');
  const { end, status, attempts } = await proxy.takeRecord();
  assert.deepEqual([end, status, attempts], ['complete', 204, []]);
  const other = await ask(preflight('/v1/messages', 'https://evil.example'));
  assert.deepEqual([other.status, other.headers['access-control-allow-origin']], [204, undefined]);
  await proxy.takeRecord();
  assert.equal(upstream.waiting, 0);
});

test('what the upstream says of origins is replaced; its other headers and every byte stay', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest('{"model":"m"}', `Origin: ${ORIGIN}\r\n`));
  const exchange = await upstream.next();
  const theirs =
    'Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nVary: Accept\r\nX-Kept: 1\r\n';
  await exchange.reply(200, '{"a": 1}', theirs);
  const answer = await client.answer();
  const named = (name: string): string[] =>
    answer.rawHeaders.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
  assert.deepEqual(named('access-control-allow-origin'), [ORIGIN]);
  assert.deepEqual(named('access-control-allow-credentials'), []);
  assert.deepEqual([...named('vary')].sort(), ['Accept', 'Origin']);
  assert.deepEqual([named('x-kept'), answer.body.toString()], [['1'], '{"a": 1}']);
  client.destroy();
  await proxy.takeRecord();
});

test('our own errors can be read by the page as well', async () => {
  const answer = await ask(messagesRequest('{"model":"m","model":"m"}', `Origin: ${ORIGIN}\r\n`));
  assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [400, ORIGIN]);
  await proxy.takeRecord();
});

test('own endpoints never answer with CORS headers', async () => {
  for (const path of ['/gateway/health', '/gateway/providers', '/health']) {
    const asked = await ask(preflight(path, ORIGIN));
    assert.equal(asked.status, 405, path);
    const got = await ask(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nOrigin: ${ORIGIN}\r\n\r\n`);
    assert.equal(got.status, 200, path);
    for (const { head } of [asked, got]) assert.doesNotMatch(head, /access-control/i, path);
  }
});

test('without the setting nothing is added, and preflights are the upstream’s', async () => {
  await proxy.apply(simpleSpec(upstream.url));
  const client = await RawClient.send(proxy.listenPort, preflight('/v1/messages', ORIGIN));
  await (await upstream.next()).reply(200, '{}', 'Access-Control-Allow-Origin: *\r\n');
  const answer = await client.answer();
  assert.deepEqual([answer.headers['access-control-allow-origin'], answer.headers['vary']], ['*', undefined]);
  client.destroy();
});
