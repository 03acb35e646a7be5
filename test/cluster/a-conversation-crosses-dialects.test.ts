/** Promise: a program with the Anthropic SDK and tools goes on when its conversation falls back to an OpenAI upstream. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { CLIENT } from '../support/cluster/streams.ts';

let ready: Installed;
let stage: Scene;
let pod: string;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'dialects');
  const route = {
    name: 'messages',
    match: { paths: ['/v1/messages'] },
    upstreams: [{ name: 'claude' }],
    fallback: [{ name: 'gpt', model: 'scripted?tool=1&words=5' }],
  };
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl, { routes: [route] })));
  await stage.condition('llm', 'Programmed', 'True');
  const options = { image: ready.testImage, args: ['client', 'idle'] };
  await stage.apply(list(deployment({ ...options, name: 'agent', inject: 'llm' })));
  pod = await stage.podOf('agent');
});

after(() => stage?.end());

interface Turn {
  readonly stopReason: string;
  readonly call?: { readonly name: string; readonly input: unknown };
  readonly text: string;
}

test("a conversation's tool is called by one provider and its result answered by the other", async () => {
  // The second turn's model makes the first provider overloaded.
  const models = ['scripted?tool=1', 'scripted?status=529'];
  const output = await stage.exec(pod, [...CLIENT, 'converse', '--model', models.join(',')]);
  const turns = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Turn);
  assert.deepEqual(
    turns.map(({ stopReason, call }) => [stopReason, call]),
    [
      ['tool_use', { name: 'weather', input: { city: 'Zürich' } }],
      ['end_turn', undefined],
    ],
  );
  assert.ok((turns[1]?.text.length ?? 0) > 0);
  const logs = await ready.kubectl.do(['-n', stage.namespace, 'logs', pod, '-c', 'sluice']);
  const records = logs
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { id?: string; end?: string; upstream?: string })
    .filter((line) => line.id !== undefined && line.end !== undefined);
  assert.deepEqual(
    records.map(({ upstream, end }) => [upstream, end]),
    [
      ['claude', 'complete'],
      ['gpt', 'complete'],
    ],
  );
});
