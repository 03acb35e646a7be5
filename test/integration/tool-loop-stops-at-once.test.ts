/** When the client leaves, the model's turn and the tools that run are stopped at once, and none begins any more. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { LoopServer } from '../support/tool-loop/loop-server.ts';
import { ScriptedModel } from '../support/tool-loop/scripted-model.ts';
import { ToolServer } from '../support/tool-loop/tool-server.ts';

let model: ScriptedModel;
let tools: ToolServer;
let loop: LoopServer;

before(async () => {
  model = await ScriptedModel.start();
  tools = await ToolServer.start();
  loop = await LoopServer.start(model.url);
});
after(async () => {
  await loop.close();
  await tools.close();
  await model.close();
});
beforeEach(() => {
  tools.reset();
  loop.use({ http: [{ name: 'search', description: 'd', url: tools.url }], callTimeout: '60s', maxParallel: 1 });
});

/** Sends a request that can be left. */
function ask(stream: boolean): AbortController {
  const leave = new AbortController();
  const body = JSON.stringify({ model: 'scripted', max_tokens: 9, stream, messages: [{ role: 'user', content: 'x' }] });
  const asked = fetch(`${loop.url}/v1/messages`, { method: 'POST', body, signal: leave.signal });
  asked.then((response) => response.text()).catch(() => {});
  return leave;
}

for (const stream of [true, false]) {
  const how = stream ? 'streamed' : 'whole';

  test(`${how}: while a tool runs`, async () => {
    tools.handlers.set('search', () => {});
    model.play({ calls: [{ name: 'search' }, { name: 'search' }] }, { text: 'never' });
    const leave = ask(stream);
    const call = await tools.call(0);
    leave.abort();
    await call.closed;
    await ended();
    assert.equal(tools.calls.length, 1, 'the call that waited was begun');
    assert.equal(model.asked.length, 1);
    assert.deepEqual(loop.counted, ['called search cancelled', 'ended cancelled 1']);
  });

  test(`${how}: while the model takes its second turn`, async () => {
    const never = new Promise<void>(() => {});
    model.play({ calls: [{ name: 'search' }] }, { text: 'Half', holdAt: 4, hold: never });
    const leave = ask(stream);
    const second = await model.request(1);
    leave.abort();
    assert.equal(await second.ended, false);
    await ended();
    assert.equal(model.asked.length, 2);
    assert.equal(loop.counted.at(-1), 'ended cancelled 2');
  });
}

/** Until the loop has noted its end. */
async function ended(): Promise<void> {
  while (!loop.counted.some((line) => line.startsWith('ended'))) await new Promise((resolve) => setImmediate(resolve));
}
