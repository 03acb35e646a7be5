/** Promise: an annotated pod gets the sidecar, and official SDKs in it stream every byte at once through it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { answerOf, stream } from '../support/cluster/streams.ts';

let ready: Installed;
let stage: Scene;
let pod: string;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'streams');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
  const options = { image: ready.testImage, args: ['client', 'idle'] };
  await stage.apply(
    list(deployment({ ...options, name: 'agent', inject: 'llm' }), deployment({ ...options, name: 'plain' })),
  );
  pod = await stage.podOf('agent');
});

after(() => stage?.end());

interface PodSpec {
  metadata: { labels: Record<string, string> };
  spec: {
    initContainers?: { name: string; restartPolicy?: string }[];
    containers: { name: string; env?: { name: string; value?: string }[] }[];
    volumes: { name: string }[];
  };
}

test('an annotated Deployment gets the sidecar and an unannotated one is unchanged', async () => {
  const read = async (name: string): Promise<PodSpec> =>
    ready.kubectl.get<PodSpec>(['-n', stage.namespace, 'pod', name]);
  const injected = await read(pod);
  assert.deepEqual(
    injected.spec.initContainers?.map((c) => [c.name, c.restartPolicy]),
    [['sluice', 'Always']],
  );
  assert.equal(injected.metadata.labels['sluice.dev/proxy'], 'llm');
  const env = Object.fromEntries((injected.spec.containers[0]?.env ?? []).map((e) => [e.name, e.value]));
  assert.equal(env['ANTHROPIC_BASE_URL'], 'http://127.0.0.1:8019');
  assert.equal(env['OPENAI_BASE_URL'], 'http://127.0.0.1:8019/v1');
  const plain = await read(await stage.podOf('plain'));
  assert.equal(plain.spec.initContainers, undefined);
  assert.equal(plain.spec.containers[0]?.env, undefined);
  assert.deepEqual(
    plain.spec.volumes.filter((v) => v.name.startsWith('sluice')),
    [],
  );
});

for (const sdk of ['anthropic', 'openai'] as const) {
  test(`the official ${sdk} SDK in the pod streams the bytes that the upstream sent, the second event only after it has the first`, async () => {
    const gate = `gate-${sdk}`;
    const model = `scripted?hold=2&gate=${gate}`;
    const release = `${stage.upstreamUrl}/control/release/${gate}`;
    const [seen] = await stream(stage, pod, ['--sdk', sdk, '--model', model, '--release-url', release]);
    assert.ok(seen);
    assert.ok(seen.events > 2, `only ${seen.events} events came`);
    const answer = await answerOf(stage, pod, seen.answerId);
    assert.equal(seen.sha256, answer.sha256);
    assert.equal(seen.bytes, answer.bytes);
    assert.ok(seen.bytes > 500);
  });
}

test('the sidecar writes one record an exchange on its standard output', async () => {
  const logs = await ready.kubectl.do(['-n', stage.namespace, 'logs', pod, '-c', 'sluice']);
  const records = logs
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { id?: string; end?: string; route?: string })
    .filter((line) => line.id !== undefined && line.end !== undefined);
  assert.deepEqual(
    records.map((record) => [record.route, record.end]),
    [
      ['messages', 'complete'],
      ['chat', 'complete'],
    ],
  );
});
