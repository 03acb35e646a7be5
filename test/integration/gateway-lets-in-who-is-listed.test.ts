/** A gateway serves the callers that its resource lists, by token or key; it answers all others in their dialect, and no provider hears of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ProxyProcess, post, type SeenRecord, type Spec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';
import { signer } from '../support/service-account-tokens.ts';

const EXCHANGE = '019aa5f0-2c4e-7c1a-9b3e-5d1f0a2b3c4d';
const BODY = '{"model":"claude-x"}';
const SECRETS = { keys: { ci: 'gw-key-of-ci', provider: 'sk-of-the-provider' } };
const GATEWAY = { SLUICE_GATEWAY: 'plaintext' };
const first = signer('key-1');
const second = signer('key-2', 'ES256');

let upstream: RawUpstream;
let proxy: ProxyProcess;
let spec: Spec;

before(async () => {
  upstream = await RawUpstream.start();
  const credentials = [{ secret: { name: 'keys', key: 'provider' } }];
  spec = {
    gateway: {
      plaintext: {},
      clients: [
        { name: 'agents', serviceAccount: { namespace: 'apps', name: 'agent' } },
        { name: 'research', serviceAccount: { namespace: 'research' } },
        { name: 'ci', secret: { name: 'keys', key: 'ci' } },
        { name: 'late', secret: { name: 'keys', key: 'not-there-yet' } },
      ],
    },
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: upstream.url, credentials },
      { name: 'gpt', dialect: 'openai', url: `${upstream.url}/v1`, credentials },
    ],
    routes: [
      { name: 'messages', match: { paths: ['/v1/messages*'] }, upstreams: [{ name: 'claude' }] },
      { name: 'rest', upstreams: [{ name: 'gpt' }] },
    ],
  };
  proxy = await ProxyProcess.start(spec, { secrets: SECRETS, env: GATEWAY, tokenKeys: first.tokenKeys });
});
after(async () => {
  await proxy?.stop();
  await upstream?.close();
});

async function refused(path: string, headers: string): Promise<{ answer: RawAnswer; record: SeenRecord }> {
  const client = await RawClient.send(proxy.listenPort, post(path, BODY, headers));
  const answer = await client.answer();
  client.destroy();
  assert.equal(upstream.waiting, 0, 'the provider was asked');
  return { answer, record: await proxy.takeRecord() };
}

async function served(headers: string, path = '/v1/messages') {
  const client = await RawClient.send(proxy.listenPort, post(path, BODY, headers));
  const exchange = await Promise.race([upstream.next(), client.answer().then(({ body }) => assert.fail(String(body)))]);
  await exchange.reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.destroy();
  return { exchange, record: await proxy.takeRecord() };
}

test('without a key the answer is 401 in the form of each dialect, and the record says so', async () => {
  const anthropic = await refused('/v1/messages', '');
  assert.equal(anthropic.answer.status, 401);
  assert.equal(anthropic.answer.headers['www-authenticate'], 'Bearer realm="sluice"');
  const error = JSON.parse(anthropic.answer.body.toString()) as {
    type: string;
    error: { type: string; message: string };
  };
  assert.deepEqual([error.type, error.error.type], ['error', 'authentication_error']);
  assert.match(error.error.message, /Send a key of this gateway .* audience "sluice"; the request has none/);
  const { record } = anthropic;
  assert.deepEqual([record.end, record.status, record.hop, record.caller], ['rejected', 401, 'gateway', undefined]);
  const openai = await refused('/v1/chat/completions', 'Authorization: Bearer sk-foreign\r\n');
  assert.equal(openai.answer.status, 401);
  const { code, type } = (JSON.parse(openai.answer.body.toString()) as { error: { code: string; type: string } }).error;
  assert.deepEqual([code, type], ['unauthenticated', 'invalid_request_error']);
  assert.ok(!openai.answer.body.includes('sk-foreign') && !proxy.output.includes('sk-foreign'));
});

for (const [how, headers] of [
  ['x-api-key', 'X-Api-Key: gw-key-of-ci\r\n'],
  ['Authorization: Bearer', 'Authorization: Bearer gw-key-of-ci\r\n'],
  ['one of two headers', 'Authorization: Bearer sk-foreign\r\nX-Api-Key: gw-key-of-ci\r\n'],
] as const) {
  test(`a client's key in ${how} lets it in, and the provider gets the gateway's own key instead`, async () => {
    const { exchange, record } = await served(headers);
    assert.equal(exchange.header('x-api-key'), SECRETS.keys.provider);
    assert.equal(exchange.header('authorization'), undefined);
    assert.ok(!exchange.head.includes('gw-key'));
    assert.deepEqual(record.caller, { client: 'ci' });
  });
}

test("a service account's token lets it in: one account, or a whole namespace; the record says who and which pod", async () => {
  const one = await served(`Authorization: Bearer ${first.token()}\r\n`, '/v1/chat/completions');
  assert.equal(one.exchange.header('authorization'), `Bearer ${SECRETS.keys.provider}`);
  assert.deepEqual(one.record.caller, { client: 'agents', serviceAccount: 'apps/agent', pod: 'agent-0' });
  const anyone = { namespace: 'research', serviceaccount: { name: 'anybody' } };
  const claims = { sub: 'system:serviceaccount:research:anybody', 'kubernetes.io': anyone };
  const all = await served(`Authorization: Bearer ${first.token(claims)}\r\n`);
  assert.deepEqual(all.record.caller, { client: 'research', serviceAccount: 'research/anybody' });
});

test('a good token of an account that is not listed is 403, and the message says what to add', async () => {
  const bound = { namespace: 'apps', serviceaccount: { name: 'other' } };
  const token = first.token({ sub: 'system:serviceaccount:apps:other', 'kubernetes.io': bound });
  const { answer } = await refused('/v1/messages', `Authorization: Bearer ${token}\r\n`);
  assert.equal(answer.status, 403);
  assert.match(
    answer.body.toString(),
    /permission_error.*Add service account \\"other\\" of namespace \\"apps\\" to spec\.gateway\.clients/,
  );
});

for (const [what, token] of [
  ['expired', first.token({ exp: 1 })],
  ['of another audience', first.token({ aud: ['https://kubernetes.default.svc'] })],
  ['of another issuer', first.token({ iss: 'https://elsewhere.example' })],
  ['of another signer', signer('key-1').token()],
  ['of an unknown key', second.token()],
  ['without a signature', `${first.token({}, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`],
] as const) {
  test(`a token ${what} is 401, and is repeated nowhere`, async () => {
    const { answer } = await refused('/v1/messages', `Authorization: Bearer ${token}\r\n`);
    assert.equal(answer.status, 401);
    assert.ok(!proxy.output.includes(token.slice(0, 40)));
  });
}

test('the id of the exchange is taken from callers that are known, in its own form alone, and no provider gets it', async () => {
  const key = 'X-Api-Key: gw-key-of-ci\r\n';
  const known = await served(`${key}Sluice-Exchange-Id: ${EXCHANGE}\r\n`);
  assert.equal(known.record.exchange, EXCHANGE);
  assert.notEqual(known.record.id, EXCHANGE);
  assert.equal(known.exchange.header('sluice-exchange-id'), undefined);
  const odd = await served(`${key}Sluice-Exchange-Id: '; DROP TABLE\r\n`);
  assert.equal(odd.record.exchange, odd.record.id);
  const { record } = await refused('/v1/messages', `Sluice-Exchange-Id: ${EXCHANGE}\r\n`);
  assert.equal(record.exchange, record.id);
});

test("a sidecar's own endpoints are not on a gateway's port, whatever name it is asked by", async () => {
  for (const path of ['/health', '/gateway/health', '/gateway/providers', '/gateway/audit?q=x']) {
    const client = await RawClient.send(proxy.listenPort, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer = await client.answer();
    assert.equal(answer.status, 404, path);
    assert.ok(!answer.body.includes('claude'));
    client.destroy();
  }
  assert.equal(upstream.waiting, 0);
});

test("the cluster's keys and a client's key are rotated without a restart; an empty or missing key lets nobody in", async () => {
  const both = { issuer: first.tokenKeys.issuer, keys: [...first.tokenKeys.keys, ...second.tokenKeys.keys] };
  await proxy.apply(spec, SECRETS, both);
  await served(`Authorization: Bearer ${first.token()}\r\n`);
  await served(`Authorization: Bearer ${second.token()}\r\n`);
  await proxy.apply(spec, { keys: { ...SECRETS.keys, ci: 'gw-key-renewed' } }, second.tokenKeys);
  assert.equal((await refused('/v1/messages', `Authorization: Bearer ${first.token()}\r\n`)).answer.status, 401);
  assert.equal((await refused('/v1/messages', 'X-Api-Key: gw-key-of-ci\r\n')).answer.status, 401);
  assert.equal((await refused('/v1/messages', 'X-Api-Key: \r\n')).answer.status, 401);
  await served('X-Api-Key: gw-key-renewed\r\n');
});

test('a gateway refuses a config that lets nobody in, and goes on with the one before', async () => {
  const { gateway: _gateway, ...open } = spec;
  const problem = proxy.logged((line) => JSON.stringify(line).includes('set spec.gateway'));
  await Promise.race([proxy.apply(open, SECRETS), problem]);
  await problem;
  assert.match((await proxy.admin('/revision')).text, /the config lets nobody in; set spec\.gateway/);
  await served('X-Api-Key: gw-key-renewed\r\n');
  assert.equal((await refused('/v1/messages', '')).answer.status, 401);
});

test("a sidecar refuses a gateway's config", async (t) => {
  const sidecar = await ProxyProcess.start(spec, { bare: true });
  t.after(() => sidecar.stop());
  const refusal = sidecar.logged((line) => JSON.stringify(line).includes('the config of a gateway'));
  await Promise.race([sidecar.apply(spec, SECRETS), refusal]);
  await refusal;
  assert.equal((await sidecar.admin('/readyz')).status, 503);
});

test('a flood of strangers is answered and counted, and fills neither records nor the journal', async (t) => {
  const gateway = await ProxyProcess.start(spec, { secrets: SECRETS, env: GATEWAY, tokenKeys: first.tokenKeys });
  t.after(() => gateway.stop());
  const flood = 300;
  for (let asked = 0; asked < flood; asked += 50) {
    const batch = Array.from({ length: 50 }, () => RawClient.send(gateway.listenPort, post('/v1/messages', BODY)));
    for (const client of await Promise.all(batch)) {
      assert.equal((await client.answer()).status, 401);
      client.destroy();
    }
  }
  const { text } = await gateway.admin('/metrics');
  const counted = Number(/^sluice_exchanges_total\{.*code="401".*\} (\d+)$/m.exec(text)?.[1]);
  const unrecorded = Number(/^sluice_unrecorded_total (\d+)$/m.exec(text)?.[1]);
  assert.equal(counted, flood);
  // 60 at once, and 1 a second while the flood lasts.
  assert.ok(unrecorded > 0 && unrecorded <= flood - 60, String(unrecorded));
  for (let record = 0; record < flood - unrecorded; record += 1) {
    const { end, status } = await gateway.takeRecord();
    assert.deepEqual([end, status], ['rejected', 401]);
  }
  const journal = await readFile(join(gateway.directory, 'open.ndjson'), 'utf8');
  assert.ok((journal.match(/"mark":"opened"/g) ?? []).length <= flood - unrecorded);
  // Whoever is known is recorded as ever.
  const known = await RawClient.send(gateway.listenPort, post('/v1/messages', BODY, 'X-Api-Key: gw-key-of-ci\r\n'));
  await (await upstream.next()).reply(200, '{}');
  assert.equal((await known.answer()).status, 200);
  known.destroy();
  assert.equal((await gateway.takeRecord()).end, 'complete');
});
