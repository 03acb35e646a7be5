/** Promises: an operator killed in the middle of its work converges; a pod deleted during a stream finishes the stream. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed, SYSTEM_NAMESPACE } from '../support/cluster/installed.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

const PROXIES = 12;

let ready: Installed;
let stage: Scene;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'kills');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
});

after(() => stage?.end());

test('the operator is killed in the middle of reconciling: every resource converges', async () => {
  const names = Array.from({ length: PROXIES }, (_, i) => `proxy-${i}`);
  await stage.apply(list(...names.map((name) => streamProxy(name, stage.upstreamUrl))));
  await ready.kubectl.do([
    '-n',
    SYSTEM_NAMESPACE,
    'delete',
    'pod',
    '-l',
    'app.kubernetes.io/name=sluice',
    '--force',
    '--grace-period=0',
  ]);
  for (const name of names) await stage.condition(name, 'Programmed', 'True', 90_000);
  const { items } = await ready.kubectl.get<{ items: { metadata: { name: string } }[] }>([
    '-n',
    stage.namespace,
    'secrets',
  ]);
  const delivered = items.map((s) => s.metadata.name).filter((name) => name.startsWith('sluice-proxy-'));
  assert.equal(delivered.length, PROXIES);
});

test('a StreamProxy that is deleted takes its Secret and its profile with it', async () => {
  await ready.kubectl.do(['-n', stage.namespace, 'delete', 'streamproxy', 'proxy-0']);
  for (const kind of ['secret/sluice-proxy-0', 'sidecarprofile/proxy-0']) {
    await until(`${kind} to be gone`, async () => {
      const result = await ready.kubectl.try(['-n', stage.namespace, 'get', kind]);
      return result.code !== 0 && result.stderr.includes('NotFound') ? true : undefined;
    });
  }
});

test('a pod deleted during a stream finishes the stream within its grace period', async () => {
  const options = { image: ready.testImage, inject: 'llm', terminationGracePeriodSeconds: 60 };
  const args = ['client', 'stream', '--model', 'scripted?words=60&delay=200'];
  await stage.apply(list(deployment({ ...options, name: 'talker', args })));
  const pod = await until('the stream to be open', async () => {
    const name = await stage.podOf('talker');
    const metrics = await ready.kubectl.do([
      'get',
      '--raw',
      `/api/v1/namespaces/${stage.namespace}/pods/${name}:9019/proxy/metrics`,
    ]);
    return /^sluice_active_streams(\{[^}]*\})? 1$/m.test(metrics) ? name : undefined;
  });
  const logs = ready.kubectl.do(['-n', stage.namespace, 'logs', '-f', pod, '-c', 'app']);
  await ready.kubectl.do(['-n', stage.namespace, 'delete', 'pod', pod, '--wait=false']);
  const seen = JSON.parse((await logs).split('\n').find((line) => line.startsWith('{')) ?? '{}') as {
    stopReason?: string;
  };
  assert.equal(seen.stopReason, 'end_turn');
});

test('another pod still streams after all that', async () => {
  await stage.apply(
    list(deployment({ name: 'agent', image: ready.testImage, inject: 'llm', args: ['client', 'idle'] })),
  );
  const [seen] = await stream(stage, await stage.podOf('agent'));
  assert.equal(seen?.stopReason, 'end_turn');
});
