/** Routes see the agent in the system prompt, tiers, headers that are only there, and give the upstream another path. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, post, type Spec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream, type UpstreamExchange } from '../support/raw-upstream.ts';

const MIB = 1024 ** 2;

let upstream: RawUpstream;
let proxy: ProxyProcess;

before(async () => {
  upstream = await RawUpstream.start();
  const spec: Spec = {
    listen: { explain: 'always' },
    agentTag: { open: '<agent>', close: '</agent>' },
    tiers: [
      { name: 'large', models: ['claude-opus-*', 'gpt-5'] },
      { name: 'small', models: ['*-mini'] },
    ],
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: upstream.url },
      { name: 'gpt', dialect: 'openai', url: `${upstream.url}/v1` },
      { name: 'search', dialect: 'raw', url: `${upstream.url}/engine` },
    ],
    routes: [
      { name: 'architect', match: { paths: ['/v1/messages'], agents: ['architect'] }, upstreams: [{ name: 'claude' }] },
      { name: 'reviewer', match: { paths: ['/v1/*'], agents: ['reviewer'] }, upstreams: [{ name: 'gpt' }] },
      {
        name: 'traced',
        match: { headers: [{ name: 'X-Trace' }] },
        upstreams: [{ name: 'claude' }],
      },
      { name: 'large', match: { paths: ['/v1/messages'], tiers: ['large'] }, upstreams: [{ name: 'claude' }] },
      { name: 'unknown-tier', match: { paths: ['/lost'], tiers: ['huge'] }, upstreams: [{ name: 'search' }] },
      {
        name: 'search',
        match: { paths: ['/search/*'] },
        upstreams: [{ name: 'search' }],
        rewrite: { prefix: '/v3' },
      },
      { name: 'rest', upstreams: [{ name: 'claude' }] },
    ],
  };
  proxy = await ProxyProcess.start(spec);
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

/** Sends, lets the upstream answer, and tells which route served it. */
async function routed(request: string | Buffer): Promise<{ route: string | undefined; exchange: UpstreamExchange }> {
  const client = await RawClient.send(proxy.listenPort, request);
  const exchange = await upstream.next();
  await exchange.reply(200, '{}');
  const answer = await client.answer();
  client.destroy();
  return { route: answer.headers['sluice-route'], exchange };
}

async function refused(request: string): Promise<RawAnswer> {
  const client = await RawClient.send(proxy.listenPort, request);
  const answer = await client.answer();
  client.destroy();
  return answer;
}

const body = (system: unknown, more: Record<string, unknown> = {}): string =>
  JSON.stringify({ model: 'claude-haiku', stream: true, messages: [{ role: 'user', content: 'hi' }], system, ...more });

test('an agent is found in the system prompt, and the body passes as it came', async () => {
  const sent = body([{ type: 'text', text: 'Be <agent>architect</agent> today' }]);
  const { route, exchange } = await routed(messagesRequest(sent));
  assert.equal(route, 'architect');
  assert.equal(exchange.body.toString(), sent);
  assert.equal((await routed(messagesRequest(body('<agent>reviewer</agent>')))).route, 'reviewer');
  assert.equal((await routed(messagesRequest(body('<agent>nobody</agent>')))).route, 'rest');
});

test('a header wins over the tag', async () => {
  const sent = messagesRequest(body('<agent>architect</agent>'), 'x-agent-name: somebody\r\n');
  assert.equal((await routed(sent)).route, 'rest');
  const named = messagesRequest(body('<agent>somebody</agent>'), 'X-Agent-Name: architect\r\n');
  assert.equal((await routed(named)).route, 'architect');
});

test('OpenAI bodies name the agent in the first system or developer message', async () => {
  const chat = {
    messages: [
      { role: 'developer', content: '<agent>reviewer</agent>' },
      { role: 'user', content: 'x' },
    ],
    model: 'gpt-5',
  };
  const { route, exchange } = await routed(post('/v1/chat/completions', JSON.stringify(chat)));
  assert.deepEqual([route, exchange.head.split(' ')[1]], ['reviewer', '/v1/chat/completions']);
  const responses = { model: 'gpt-5', input: 'hello', instructions: 'You: <agent>reviewer</agent>' };
  assert.equal((await routed(post('/v1/responses', JSON.stringify(responses)))).route, 'reviewer');
});

test('a system prompt beyond what is read is refused only where a rule needs it', async () => {
  const long = body('<agent>architect</agent>', { messages: 'x'.repeat(2 * MIB) });
  const answer = await refused(messagesRequest(long));
  assert.equal(answer.status, 413);
  assert.match(answer.body.toString(), /system prompt.*architect/);
  // No route asks for an agent here, and the header answers the question elsewhere.
  assert.equal((await routed(post('/other', long))).route, 'rest');
  assert.equal((await routed(messagesRequest(long, 'x-agent-name: architect\r\n'))).route, 'architect');
});

test('a system prompt that comes twice is ambiguous where it is read', async () => {
  const twice = '{"model":"m","system":"<agent>a</agent>","system":"<agent>architect</agent>","stream":true}';
  const answer = await refused(messagesRequest(twice));
  assert.deepEqual([answer.status, /Send .*system.* once/.test(answer.body.toString())], [400, true]);
});

test('a header without values must only be there', async () => {
  assert.equal((await routed(messagesRequest(body('x'), 'x-trace:\r\n'))).route, 'traced');
  assert.equal((await routed(messagesRequest(body('x')))).route, 'rest');
});

test('a tier stands for its models, and an unknown one breaks its own route alone', async () => {
  assert.equal((await routed(messagesRequest(body('x', { model: 'claude-opus-5' })))).route, 'large');
  assert.equal((await routed(messagesRequest(body('x', { model: 'gpt-4-mini' })))).route, 'rest');
  const answer = await refused(post('/lost', '{"model":"any"}'));
  assert.deepEqual([answer.status, answer.headers['sluice-error']], [503, 'invalid_route']);
  assert.match(answer.body.toString(), /match\.tiers\[0\].*huge.*spec\.tiers.*large.*small/);
});

test('rewrite.prefix replaces what the pattern names, before the path is joined to the url', async () => {
  const { exchange, route } = await routed('GET /search/a%20b/c?q=1&q=2 HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(route, 'search');
  assert.equal(exchange.head.split(' ')[1], '/engine/v3/a%20b/c?q=1&q=2');
});

test('the model is read whatever type a body of a known API claims, as that of `curl -d`, but for uploads', async () => {
  const large = '{"model":"claude-opus-4"}';
  const typed = (path: string, type: string): string =>
    post(path, large).replace('Content-Type: application/json', `Content-Type: ${type}`);
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-8']) {
    const { route, exchange } = await routed(typed('/v1/messages', type));
    assert.deepEqual([route, exchange.header('content-type'), exchange.body.toString()], ['large', type, large]);
  }
  assert.equal((await routed(typed('/v1/messages', 'multipart/form-data; boundary=x'))).route, 'rest');
});
