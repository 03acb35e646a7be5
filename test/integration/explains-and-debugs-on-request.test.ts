/** Whoever asks is told how a request was routed, in headers or in log lines; bodies and keys are in neither, and both can be turned off. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { type RawAnswer, RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const NAMES = ['sluice-route', 'sluice-upstream', 'sluice-attempts'];
const MOST_A_MINUTE = 60;

let upstream: RawUpstream;
let proxy: ProxyProcess;

/** @param port where nobody listens; another one makes the upstream new, without its failures so far */
const spec = (listen: Spec['listen'] = {}, port = 1): Spec => ({
  listen,
  upstreams: [
    { name: 'down', dialect: 'anthropic', url: `http://127.0.0.1:${port}` },
    { name: 'up', dialect: 'anthropic', url: upstream.url, credentials: [{ secret: { name: 's', key: 'k' } }] },
  ],
  routes: [
    { name: 'other-path', match: { paths: ['/v1/x'] }, upstreams: [{ name: 'up' }] },
    { name: 'by-header', match: { headers: [{ name: 'x-team', values: ['core'] }] }, upstreams: [{ name: 'up' }] },
    { name: 'by-model', match: { models: ['gpt-*'] }, upstreams: [{ name: 'up' }] },
    { name: 'chain', upstreams: [{ name: 'down' }], fallback: [{ name: 'up', model: 'claude-y' }] },
  ],
});
const SECRETS = { s: { k: 'sk-upstream-secret' } };

before(async () => {
  upstream = await RawUpstream.start();
  proxy = await ProxyProcess.start(spec(), { secrets: SECRETS });
});
after(async () => {
  await proxy.stop();
  await upstream.close();
});

async function ask(headers = ''): Promise<RawAnswer> {
  const body = '{"model":"claude-x","messages":["private words"]}';
  const client = await RawClient.send(proxy.listenPort, messagesRequest(body, headers));
  const exchange = await upstream.next();
  assert.equal(exchange.header('sluice-debug'), undefined);
  await exchange.reply(200, '{"private":"answer"}');
  const answer = await client.answer();
  client.destroy();
  await proxy.takeRecord();
  return answer;
}

const explained = ({ headers }: RawAnswer): unknown => NAMES.map((name) => headers[name]);
const TOLD = ['chain', 'up', '2'];
const NOTHING = [undefined, undefined, undefined];

test('listen.explain: on request, always or never', async () => {
  assert.deepEqual([explained(await ask()), explained(await ask('sluice-explain: true\r\n'))], [NOTHING, TOLD]);
  await proxy.apply(spec({ explain: 'always' }), SECRETS);
  assert.deepEqual(explained(await ask()), TOLD);
  await proxy.apply(spec({ explain: 'never' }), SECRETS);
  assert.deepEqual(explained(await ask('sluice-explain: true\r\n')), NOTHING);
});

test('sluice-debug writes this exchange’s decisions, attempts and times, and nothing of bodies or keys', async () => {
  await proxy.apply(spec({}, 2), SECRETS);
  await ask();
  assert.doesNotMatch(proxy.ownLog, /"Debug"/);
  await ask('sluice-debug: 1\r\nx-api-key: sk-client-key\r\nx-team: sales\r\n');
  await proxy.logged((line) => line['step'] === 'ended');
  const lines = (JSON.parse(proxy.ownLog) as Record<string, unknown>[]).filter((line) => line['message'] === 'Debug');
  assert.equal(new Set(lines.map((line) => line['exchange'])).size, 1);
  const steps = lines.map((line) => line['step']);
  assert.deepEqual(steps, [
    'received',
    'facts',
    'matched',
    'planned',
    'attempted',
    'attempted',
    'answered',
    'delivered',
    'ended',
  ]);
  const [, facts, , planned, first, second] = lines;
  assert.deepEqual(facts?.['passedOver'], [
    { route: 'other-path', because: 'path' },
    { route: 'by-header', because: 'header x-team' },
    { route: 'by-model', because: 'model' },
  ]);
  assert.equal(facts?.['model'], 'claude-x');
  assert.deepEqual(planned?.['candidates'], [{ upstream: 'down' }, { upstream: 'up', model: 'claude-y' }]);
  assert.deepEqual([first?.['outcome'], second?.['outcome'], second?.['status']], ['connect_failed', 'answered', 200]);
  assert.ok(lines.every((line) => typeof line['atMs'] === 'number'));
  assert.doesNotMatch(proxy.ownLog, /private|sk-client-key|sk-upstream-secret|sales/);
});

test('debug lines are bounded in a minute, and can be turned off', async () => {
  for (let count = 0; count <= MOST_A_MINUTE; count += 1) await ask('sluice-debug: 1\r\n');
  await proxy.logged((line) => line['message'] === 'Debug lines are left out until the minute is over');
  const received = (): number => proxy.ownLog.split('"step":"received"').length - 1;
  const before = received();
  assert.equal(before, MOST_A_MINUTE);
  await proxy.apply(spec({ debug: 'never' }), SECRETS);
  await ask('sluice-debug: 1\r\n');
  assert.equal(received(), before);
});
