/** Our own errors come in the form that the client's SDK parses, with the exchange's id, their kind, and never a secret. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';

let proxy: ProxyProcess;
before(async () => {
  const spec: Spec = {
    upstreams: [
      { name: 'nowhere', dialect: 'anthropic', url: 'http://127.0.0.1:1' },
      { name: 'gpt', dialect: 'openai', url: 'http://127.0.0.1:1' },
      { name: 'keyless', dialect: 'raw', url: 'http://x', credentials: [{ secret: { name: 'lost', key: 'k' } }] },
    ],
    routes: [
      { name: 'claude', match: { models: ['claude-*'] }, upstreams: [{ name: 'nowhere' }] },
      { name: 'foreign', match: { models: ['gpt-*'] }, upstreams: [{ name: 'gpt' }] },
      { name: 'dangling', match: { models: ['lost-*'] }, upstreams: [{ name: 'absent' }] },
      { name: 'unkeyed', match: { models: ['bare-*'] }, upstreams: [{ name: 'keyless' }] },
    ],
  };
  proxy = await ProxyProcess.start(spec);
});
after(() => proxy.stop());

async function ask(bytes: string): Promise<{ answer: RawAnswer; json: Record<string, unknown>; end: string }> {
  const client = await RawClient.send(proxy.listenPort, bytes);
  const answer = await client.answer();
  const { detail, end, id, status } = await proxy.takeRecord();
  assert.deepEqual([answer.headers['request-id'], answer.status], [id, status]);
  client.destroy();
  return { answer, json: JSON.parse(answer.body.toString()) as Record<string, unknown>, end: `${end} ${detail}` };
}

const model = (name: string): string => `{"model":"${name}","secret":"sk-private"}`;

test('an anthropic client gets its error envelope', async () => {
  const { answer, json, end } = await ask(messagesRequest(model('claude-x')));
  assert.deepEqual([answer.status, answer.headers['sluice-error']], [502, 'connect_failed']);
  assert.deepEqual(json, {
    type: 'error',
    error: {
      type: 'api_error',
      message:
        'Sluice: Upstream "nowhere" cannot be reached: ECONNREFUSED; start it, or correct the port of its address',
    },
    request_id: answer.headers['request-id'],
  });
  assert.equal(end, 'no_answer connect_failed');
});

test('an openai client, and one of any other API, get theirs', async () => {
  for (const path of ['/v1/chat/completions', '/anything']) {
    const { answer, json, end } = await ask(post(path, model('unrouted')));
    assert.deepEqual([answer.status, answer.headers['sluice-error']], [404, 'no_route']);
    const error = json['error'] as Record<string, unknown>;
    assert.deepEqual([error['type'], error['code'], error['param']], ['invalid_request_error', 'no_route', null]);
    assert.match(String(error['message']), /POST.*"unrouted"/);
    assert.equal(end, 'rejected no_route');
  }
});

test('an invalid route answers for itself and is named; retrying it is pointless', async () => {
  for (const [name, route] of [
    ['lost-1', 'dangling'],
    ['bare-1', 'unkeyed'],
  ] as const) {
    const { answer, json } = await ask(post('/anything', model(name)));
    assert.deepEqual(
      [answer.status, answer.headers['sluice-error'], answer.headers['x-should-retry']],
      [503, 'invalid_route', 'false'],
    );
    assert.match(JSON.stringify(json), new RegExp(route));
  }
});

test('what nothing translates is 501', async () => {
  const { answer, end } = await ask(post('/v1/messages/count_tokens', model('gpt-5')));
  assert.deepEqual(
    [answer.status, answer.headers['sluice-error'], end],
    [501, 'untranslatable', 'rejected untranslatable'],
  );
});

test('an error answer to HEAD has no body, and the connection lives on', async () => {
  const client = await RawClient.send(
    proxy.listenPort,
    `HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n${post('/nothing', '{}')}`,
  );
  await client.until((text) => (text.match(/HTTP\/1\.1 404/g) ?? []).length === 2 && text.endsWith('}'));
  for (let count = 0; count < 2; count += 1) await proxy.takeRecord();
  client.destroy();
});

test('nothing of a body is in what we say of ourselves', () => {
  assert.doesNotMatch(proxy.ownLog, /sk-private/);
});

test('own endpoints answer to loopback names only, and /gateway/providers shows each upstream', async () => {
  const get = async (path: string, host: string): Promise<RawAnswer> => {
    const client = await RawClient.send(proxy.listenPort, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const answer = await client.answer();
    client.destroy();
    return answer;
  };
  for (const host of ['localhost', '127.0.0.1:8019', '[::1]:1'])
    assert.equal((await get('/health', host)).status, 200, host);
  for (const host of ['evil.example', 'localhost.evil', '10.0.0.1'])
    assert.equal((await get('/health', host)).status, 403, host);
  assert.equal((await get('/gateway/other', 'localhost')).status, 404);
  const { providers } = JSON.parse((await get('/gateway/providers', 'localhost')).body.toString()) as {
    providers: Record<string, unknown>[];
  };
  assert.deepEqual(
    providers.map((p) => [p['upstream'], p['state']]),
    [
      ['nowhere', 'available'],
      ['gpt', 'available'],
      ['keyless', 'invalid'],
    ],
  );
  assert.deepEqual([providers[0]?.['consecutiveFailures'], providers[0]?.['lastError']], [1, 'connect_failed']);
});

test('the metrics port has four paths and nothing else', async () => {
  for (const path of ['/metrics', '/healthz', '/readyz', '/revision'])
    assert.equal((await proxy.admin(path)).status, 200, path);
  for (const path of ['/', '/gateway/health', '/v1/messages', '/debug'])
    assert.equal((await proxy.admin(path)).status, 404, path);
  const report = JSON.parse((await proxy.admin('/revision')).text) as Record<string, unknown>;
  assert.deepEqual(
    [report['name'], report['namespace'], report['generation'], report['problems']],
    ['llm', 'test', 1, []],
  );
});
