/** Promise: one bad route in a good resource shows in conditions and answers 503 by name, while the others serve. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list, secret } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { CLIENT, keysSeen, stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

let ready: Installed;
let stage: Scene;
let pod: string;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'partly');
  const upstreams = [
    { name: 'claude', dialect: 'anthropic', url: stage.upstreamUrl, credentials: [{ client: {} }] },
    {
      name: 'keyed',
      dialect: 'openai',
      url: `${stage.upstreamUrl}/v1`,
      credentials: [{ secret: { name: 'late-key', key: 'token' } }],
    },
  ];
  const routes = [
    { name: 'messages', match: { paths: ['/v1/messages'] }, upstreams: [{ name: 'claude' }] },
    { name: 'typo', match: { paths: ['/v1/messages/count_tokens'] }, upstreams: [{ name: 'cluade' }] },
    { name: 'chat', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'keyed' }] },
  ];
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl, { upstreams, routes })));
  await stage.condition('llm', 'Programmed', 'True');
  await stage.apply(
    list(deployment({ name: 'agent', image: ready.testImage, inject: 'llm', args: ['client', 'idle'] })),
  );
  pod = await stage.podOf('agent');
});

after(() => stage?.end());

test('the dangling upstream and the missing Secret are conditions with the way out', async () => {
  const status = await stage.condition('llm', 'ResolvedRefs', 'False');
  const message = status.conditions?.find((c) => c.type === 'ResolvedRefs')?.message ?? '';
  assert.match(message, /cluade/);
  assert.match(message, /late-key/);
  const accepted = status.conditions?.find((c) => c.type === 'Accepted');
  assert.equal(accepted?.status, 'True', 'what is written is right; what it names is not there');
  const { stdout } = await ready.kubectl.try(['-n', stage.namespace, 'get', 'streamproxy', 'llm']);
  assert.match(stdout, /^NAME +ACCEPTED +RESOLVED +PROGRAMMED .*\nllm +True +False +True /, 'seen at one glance');
});

test('the good route serves, the bad one answers 503 that names it', async () => {
  const [seen] = await stream(stage, pod);
  assert.equal(seen?.stopReason, 'end_turn');
  const post = [...CLIENT, 'fetch', '--method', 'POST', '--url', 'http://127.0.0.1:8019/v1/messages/count_tokens'];
  const failure = await ready.kubectl.try(['-n', stage.namespace, 'exec', pod, '-c', 'app', '--', ...post]);
  assert.notEqual(failure.code, 0);
  assert.match(failure.stderr, /503/);
  assert.match(failure.stderr, /typo/);
});

test('the missing Secret is picked up as soon as it is there', async () => {
  await stage.apply(list(secret('late-key', { token: 'the-late-key' })));
  const seen = await until('the chat route to serve', async () => (await stream(stage, pod, ['--sdk', 'openai']))[0], {
    timeoutMs: 30_000,
  });
  assert.deepEqual(await keysSeen(stage, pod, seen.answerId), { authorization: 'Bearer the-late-key' });
});
