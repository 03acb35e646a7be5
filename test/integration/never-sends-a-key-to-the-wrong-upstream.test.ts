/** Keys: the caller's goes only where the caller was chosen, ours only to its own upstream, and neither into any output. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PLACEHOLDER_KEY } from '../../contract/names.ts';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const THEIRS = 'sk-theirs-1234567890';
const OURS = 'sk-ours-1234567890';
const CALLER = `X-Api-Key: ${THEIRS}\r\nAuthorization: Bearer ${THEIRS}\r\napi-key: ${THEIRS}\r\nProxy-Authorization: Basic ${THEIRS}\r\nx-odd: ${THEIRS}\r\n`;

let upstream: RawUpstream;
let proxy: ProxyProcess;
before(async () => {
  upstream = await RawUpstream.start();
  const secret = (key: string, header?: string) => ({ secret: { name: 'keys', key, ...(header && { header }) } });
  const spec: Spec = {
    upstreams: [
      { name: 'client-first', dialect: 'anthropic', url: upstream.url, credentials: [{ client: {} }, secret('a')] },
      { name: 'ours', dialect: 'anthropic', url: upstream.url, credentials: [secret('a'), secret('b', 'x-odd')] },
      { name: 'none', dialect: 'anthropic', url: upstream.url },
      { name: 'azure', dialect: 'raw', url: `${upstream.url}/openai/v1`, credentials: [secret('b', 'api-key')] },
      { name: 'down', dialect: 'anthropic', url: 'http://127.0.0.1:1', credentials: [{ client: {} }] },
    ],
    routes: [
      { name: 'fall', match: { models: ['fall'] }, upstreams: [{ name: 'down' }], fallback: [{ name: 'ours' }] },
      ...['client-first', 'ours', 'none', 'azure'].map((name) => ({
        name,
        match: { models: [name] },
        upstreams: [{ name }],
      })),
    ],
  };
  proxy = await ProxyProcess.start(spec, { secrets: { keys: { a: `${OURS}\n`, b: `${OURS}-b` } } });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

async function seen(request: string): Promise<UpstreamExchange> {
  const client = await RawClient.send(proxy.listenPort, request);
  const exchange = await upstream.next();
  await exchange.reply(200, '{}');
  await client.answer();
  await proxy.takeRecord();
  client.destroy();
  return exchange;
}

const keys = ({ headers }: UpstreamExchange): string[] =>
  headers
    .filter(([, value]) => /sk-|placeholder/.test(value))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .sort();
const ask = (model: string, headers = CALLER): string => messagesRequest(`{"model":"${model}"}`, headers);

test('where the caller comes first its keys pass as they came, OAuth tokens included', async () => {
  const passed = [`api-key: ${THEIRS}`, `authorization: Bearer ${THEIRS}`, `x-api-key: ${THEIRS}`, `x-odd: ${THEIRS}`];
  assert.deepEqual(keys(await seen(ask('client-first'))), passed);
  const oauth = 'Authorization: Bearer sk-ant-oat01-x\r\n';
  assert.deepEqual(keys(await seen(ask('client-first', oauth))), ['authorization: Bearer sk-ant-oat01-x']);
});

test('without a key, or with the placeholder, ours is sent, without its trailing newline', async () => {
  for (const headers of ['', `x-api-key: ${PLACEHOLDER_KEY}\r\n`, `Authorization: Bearer ${PLACEHOLDER_KEY}\r\n`]) {
    assert.deepEqual(keys(await seen(ask('client-first', headers))), [`x-api-key: ${OURS}`]);
  }
});

test('where ours was chosen, or none, every key of the caller is gone', async () => {
  assert.deepEqual(keys(await seen(ask('ours'))), [`x-api-key: ${OURS}`]);
  const bare = await seen(ask('none', CALLER.replace(/x-odd.*\r\n/, '')));
  assert.deepEqual(keys(bare), []);
  assert.equal(bare.header('proxy-authorization'), undefined);
  const azure = await seen(post('/v1/chat/completions?api-version=1', '{"model":"azure"}', CALLER));
  assert.deepEqual(keys(azure), [`api-key: ${OURS}-b`, `x-odd: ${THEIRS}`]);
  assert.match(azure.head, /^POST \/openai\/v1\/chat\/completions\?api-version=1 HTTP\/1\.1\r\n/);
});

test('the key of one candidate is not the key of the next', async () => {
  assert.deepEqual(keys(await seen(ask('fall'))), [`x-api-key: ${OURS}`]);
});

test('no key is in any output', () => {
  assert.doesNotMatch(proxy.output, /sk-(?:theirs|ours|ant)/);
});
