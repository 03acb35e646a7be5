/** The whole proxy with a tool loop: through translation, fallback in the middle of a conversation, records and metrics. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { ExchangeRecord } from '../../proxy/log/record.ts';
import { ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

let model: ScriptedModel;
let other: ScriptedModel;
let tools: ToolServer;
let proxy: ProxyProcess;
let client: Anthropic;

before(async () => {
  model = await ScriptedModel.start();
  other = await ScriptedModel.start();
  tools = await ToolServer.start();
  proxy = await ProxyProcess.start(spec());
  client = new Anthropic({ baseURL: `http://127.0.0.1:${proxy.listenPort}`, apiKey: 'k', maxRetries: 0 });
});
after(async () => {
  await proxy.stop();
  await tools.close();
  await other.close();
  await model.close();
});
beforeEach(() => tools.reset());

function spec(): Spec {
  const search = { name: 'search', description: 'Searches', url: tools.url };
  const toolLoop = { http: [search], progress: 'text' as const };
  return {
    upstreams: [
      { name: 'claude', dialect: 'anthropic', url: model.url },
      { name: 'other', dialect: 'openai', url: `${other.url}/v1` },
    ],
    routes: [
      {
        name: 'paced',
        match: { models: ['paced'] },
        upstreams: [{ name: 'other' }],
        pacing: { wordDelay: '20ms-20ms' },
      },
      {
        name: 'native',
        match: { models: ['native'] },
        upstreams: [{ name: 'claude' }],
        pacing: { wordDelay: '20ms-20ms' },
      },
      { name: 'translated', match: { models: ['translated'] }, upstreams: [{ name: 'other' }], toolLoop },
      { name: 'plain', match: { models: ['plain'] }, upstreams: [{ name: 'other' }] },
      { name: 'all', upstreams: [{ name: 'claude' }], fallback: [{ name: 'other' }], toolLoop },
    ],
  };
}

const ASK = { max_tokens: 99, messages: [{ role: 'user' as const, content: 'What?' }] };
const CALL = { text: 'Looking', calls: [{ name: 'search', args: { q: 'a' } }] };

function ask(asked: string): Promise<Anthropic.Message> {
  return client.messages.stream({ ...ASK, model: asked }).finalMessage();
}

function textOf({ content }: Anthropic.Message): string {
  return content.map((block) => (block.type === 'text' ? block.text : `<${block.type}>`)).join('|');
}

test('through translation: each turn is translated, the client has one message in its own dialect', async () => {
  other.play(CALL, { text: 'Found' });
  const message = await ask('translated');
  assert.match(textOf(message), /Starting.*Looking.*Executing search.*search \(1\/1\).*step 2.*Found$/s);
  assert.deepEqual([message.stop_reason, message.usage.output_tokens], ['end_turn', 10]);
  assert.equal(other.asked[1]?.path, '/v1/chat/completions');
  assert.deepEqual(other.asked[1]?.body.messages.at(-1), {
    role: 'tool',
    tool_call_id: 'call_0_0',
    content: 'search got {"q":"a"}',
  });
  const record = await proxy.takeRecord();
  assert.deepEqual([record.end, record.attempts.length], ['complete', 2]);
  const { toolCalls } = record as unknown as ExchangeRecord;
  assert.deepEqual(
    toolCalls?.map(({ round, tool, outcome, resultBytes }) => [round, tool, outcome, resultBytes]),
    [[1, 'search', 'ok', 'search got {"q":"a"}'.length]],
  );
});

test('an upstream that refuses the second turn is replaced by the fallback, in the middle of the conversation', async () => {
  model.play(CALL, { status: 529 });
  other.play({ text: 'Found elsewhere' });
  assert.match(textOf(await ask('any')), /Looking.*Found elsewhere$/s);
  const roles = other.asked[0]?.body.messages.map(({ role }) => role);
  assert.deepEqual(roles, ['user', 'assistant', 'tool']);
  const record = await proxy.takeRecord();
  assert.deepEqual(
    record.attempts.map(({ upstream, outcome }) => [upstream, outcome]),
    [
      ['claude', 'answered'],
      ['claude', 'refused'],
      ['other', 'answered'],
    ],
  );
});

test('an upstream that breaks in the second turn, behind content, ends in an error and is recorded as cut', async () => {
  model.play(CALL, { text: 'Half', cutAt: 4 });
  await assert.rejects(ask('any'), /broke off/);
  assert.equal((await proxy.takeRecord()).end, 'upstream_cut');
});

test('the client that leaves while a tool runs ends everything', async () => {
  tools.handlers.set('search', () => {});
  model.play(CALL, { text: 'never' });
  const stream = client.messages.stream({ ...ASK, model: 'any' });
  stream.on('error', () => {});
  stream.done().catch(() => {});
  const call = await tools.call(0);
  stream.abort();
  await call.closed;
  assert.equal((await proxy.takeRecord()).end, 'client_gone');
  assert.equal(model.asked.length, 1);
});

test('metrics count calls and loops', async () => {
  const { text } = await proxy.admin('/metrics');
  assert.match(text, /^sluice_tool_calls_total\{tool="search",outcome="ok"\} 3$/m);
  assert.match(text, /^sluice_tool_calls_total\{tool="search",outcome="cancelled"\} 1$/m);
  assert.match(text, /^sluice_tool_loop_rounds_count\{end="answered"\} 2$/m);
});

test('pacing: translated text comes word by word, native text as it came', async () => {
  const text = 'One two three four five';
  const count = async (asked: string): Promise<number> => {
    let deltas = 0;
    const stream = client.messages.stream({ ...ASK, model: asked });
    stream.on('text', () => {
      deltas += 1;
    });
    assert.equal(textOf(await stream.finalMessage()), text);
    assert.equal((await proxy.takeRecord()).end, 'complete');
    return deltas;
  };
  other.play({ text });
  assert.ok((await count('paced')) >= 5);
  model.play({ text });
  assert.equal(await count('native'), 2);
});

test('a request that nests without end is refused on every route that reads it, in the form of its dialect', async () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  model.play({ text: 'never' });
  other.play({ text: 'never' });
  const post = async (path: string, asked: string): Promise<[number, Record<string, unknown>]> => {
    const body = `{"model":"${asked}","max_tokens":9,"messages":[{"role":"user","content":${deep}}]}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${proxy.listenPort}${path}`, { method: 'POST', headers, body });
    const { error } = (await answer.json()) as { error: Record<string, unknown> };
    await proxy.takeRecord();
    return [answer.status, error];
  };
  for (const asked of ['any', 'translated']) {
    for (const path of ['/v1/messages', '/v1/chat/completions']) {
      const [status, { type, message }] = await post(path, asked);
      assert.deepEqual([status, type], [400, 'invalid_request_error'], path);
      assert.match(String(message), /nests at most 500 levels deep to route "(all|translated)": it runs tools/);
    }
  }
  assert.equal((await post('/v1/messages', 'plain'))[0], 400);
  assert.deepEqual([model.asked.length, other.asked.length], [0, 0]);
  model.play({ text: 'Still here' });
  assert.match(textOf(await ask('any')), /Still here/);
  await proxy.takeRecord();
});
