/** Tools of a real MCP server: listed with what the route allows, called with the credential, asked again when the list changes. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { LoopServer, type ToolLoopSpec } from '../support/tool-loop/loop-server.ts';
import { McpTestServer } from '../support/tool-loop/mcp-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';

const KEY = 'mcp-test-key';

let model: ScriptedModel;
let mcp: McpTestServer;
let loop: LoopServer;
let client: Anthropic;

before(async () => {
  model = await ScriptedModel.start();
  loop = await LoopServer.start(model.url);
  client = new Anthropic({ baseURL: loop.url, apiKey: 'k', maxRetries: 0 });
});
after(async () => {
  await loop.close();
  await model.close();
});
beforeEach(async () => {
  mcp = await McpTestServer.start(KEY);
});
afterEach(() => mcp.close());

function use(more: Partial<NonNullable<ToolLoopSpec['mcpServers']>[number]> = {}, key = KEY): void {
  const server = { name: 'lab', url: mcp.url, allow: ['*'], secret: { name: 'tools', key: 'lab' }, ...more };
  loop.use({ mcpServers: [server], callTimeout: '500ms' }, { lab: key });
}

const ASK = { model: 'scripted', max_tokens: 99, messages: [{ role: 'user' as const, content: 'What?' }] };

function ask(): Promise<Anthropic.Message> {
  return client.messages.stream(ASK).finalMessage();
}

function offered(): string[] {
  const { tools = [] } = model.asked[0]?.body ?? {};
  return (tools as { name: string }[]).map(({ name }) => name);
}

function results(): [boolean | undefined, unknown][] {
  const content = model.asked[1]?.body.messages.at(-1)?.content as { is_error?: boolean; content: unknown }[];
  return content.map(({ is_error: isError, content: parts }) => [isError, parts]);
}

test('calls in parallel; results as text and images; errors as errors', async () => {
  use();
  model.play(
    {
      calls: [
        { name: 'add', args: { a: 1, b: 2 } },
        { name: 'picture' },
        { name: 'fail' },
        { name: 'hang' },
        { name: 'add', args: { a: 'one' } },
      ],
    },
    { text: 'Three' },
  );
  assert.equal((await ask()).stop_reason, 'end_turn');
  assert.deepEqual(offered(), ['add', 'fail', 'hang', 'notes_read', 'picture', 'wait']);
  const [sum, picture, failed, hung, wrong] = results();
  assert.deepEqual(sum, [undefined, [{ type: 'text', text: '3' }]]);
  const source = { type: 'base64', media_type: 'image/png', data: 'AAAA' };
  assert.deepEqual(picture, [undefined, [{ type: 'image', source }]]);
  assert.deepEqual(failed, [true, [{ type: 'text', text: 'It failed' }]]);
  assert.deepEqual(hung, [true, [{ type: 'text', text: 'No result within 500 ms' }]]);
  assert.match(JSON.stringify(wrong), /do not fit the tool's schema/);
});

test('only what the route allows is offered, under a name that models can use', async () => {
  use({ allow: ['a*', 'notes.read'] });
  model.play({ calls: [{ name: 'notes_read' }, { name: 'fail' }] }, { text: 'ok' });
  await ask();
  assert.deepEqual(offered(), ['add', 'notes_read']);
  assert.deepEqual(results()[0], [undefined, [{ type: 'text', text: 'A note' }]]);
  assert.match(JSON.stringify(results()[1]), /There is no tool \\"fail\\"/);
});

test('the list is asked for once, and again when it is old', async () => {
  use({ refresh: '10m' });
  model.play({ text: 'ok' });
  await ask();
  await ask();
  assert.equal(mcp.lists, 1);
  use({ refresh: '0ms' });
  await ask();
  mcp.hidden.add('fail');
  model.play({ text: 'ok' });
  await ask();
  assert.ok(!offered().includes('fail'));
});

test('a wrong key, or a server that is gone, leaves the model without its tools and the request with its answer', async () => {
  use({}, 'wrong');
  model.play({ text: 'Without' });
  assert.equal((await ask()).stop_reason, 'end_turn');
  assert.deepEqual(offered(), []);
  const line = loop.logged.find((text) => text.includes('cannot be asked for its tools')) ?? assert.fail();
  assert.doesNotMatch(line, /wrong|mcp-test-key/);
  assert.match(line, /"server":"lab".*"reason":"HTTP 401".*"wayOut":"Put a key that it takes/);
  assert.ok(loop.counted.includes('list lab refused'), String(loop.counted));
  use({ url: 'http://127.0.0.1:9/mcp' });
  model.play({ text: 'Without' });
  assert.equal((await ask()).stop_reason, 'end_turn');
});

for (const hasSessions of [true, false]) {
  test(`a server that started anew, and knows no session, serves the next call (${hasSessions ? 'with' : 'without'} sessions)`, async () => {
    await mcp.close();
    mcp = await McpTestServer.start(KEY, hasSessions);
    use();
    const add = async (b: number): Promise<string> => {
      model.play({ calls: [{ name: 'add', args: { a: 2, b } }] }, { text: 'ok' });
      await ask();
      return JSON.stringify(results());
    };
    assert.match(await add(1), /"3"/);
    await mcp.restart();
    assert.match(await add(2), /"4"/);
  });
}

test('a config that no longer has the server cuts no call that is under way', async () => {
  use();
  const held = mcp.hold();
  model.play({ calls: [{ name: 'wait' }] }, { text: 'ok' });
  const asked = ask();
  await held.called;
  await loop.retain();
  held.release();
  await asked;
  assert.deepEqual(results(), [[undefined, [{ type: 'text', text: 'Waited' }]]]);
});
