/** Promise 4: a change cuts nobody, and reaches a running sidecar in about a second, a new Secret included. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openApi } from '../support/cluster/api.ts';
import { followLines } from '../support/cluster/follow.ts';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list, secret } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { CLIENT, keysSeen, stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

const CHANGES = 50;

let ready: Installed;
let stage: Scene;
let pod: string;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'changes');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
  await stage.apply(
    list(deployment({ name: 'agent', image: ready.testImage, inject: 'llm', args: ['client', 'idle'] })),
  );
  pod = await stage.podOf('agent');
});

after(() => stage?.end());

interface PodState {
  metadata: { uid: string };
  status: { initContainerStatuses: { restartCount: number }[]; containerStatuses: { restartCount: number }[] };
}

test('a new upstream with a new Secret reaches the running pod: no restart, no open stream cut', async () => {
  const read = (): Promise<PodState> => ready.kubectl.get<PodState>(['-n', stage.namespace, 'pod', pod]);
  const earlier = await read();
  const open = stream(stage, pod, ['--model', 'scripted?words=80&delay=200']);

  await stage.apply(list(secret('new-key', { token: 'key-of-the-new-secret' })));
  const upstreams = [
    {
      name: 'claude',
      dialect: 'anthropic',
      url: stage.upstreamUrl,
      credentials: [{ secret: { name: 'new-key', key: 'token' } }],
    },
  ];
  const routes = [{ name: 'messages', upstreams: [{ name: 'claude' }] }];
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl, { upstreams, routes })));
  await until('every sidecar to run the new revision', async () => {
    const status = await stage.condition('llm', 'Programmed', 'True');
    return status.pods?.current === 1 ? true : undefined;
  });

  const [seen] = await stream(stage, pod);
  assert.ok(seen);
  assert.deepEqual(await keysSeen(stage, pod, seen.answerId), { 'x-api-key': 'key-of-the-new-secret' });
  const [slow] = await open;
  assert.ok(slow);
  assert.equal(slow.stopReason, 'end_turn');
  assert.deepEqual(await keysSeen(stage, pod, slow.answerId), {}, 'the open stream kept what it had started with');

  const now = await read();
  assert.equal(now.metadata.uid, earlier.metadata.uid);
  assert.equal(now.status.initContainerStatuses[0]?.restartCount, 0);
  assert.equal(now.status.containerStatuses[0]?.restartCount, 0);
});

test(`${CHANGES} changed routes reach the running sidecar`, async (context) => {
  const proxy = await openApi(ready.cluster);
  const watch = followLines([
    ...ready.kubectl.command,
    '-n',
    stage.namespace,
    'exec',
    pod,
    '-c',
    'app',
    '--',
    ...CLIENT,
    'watch-revision',
  ]);
  try {
    await watch.next();
    const delaysMs: number[] = [];
    for (let i = 0; i < CHANGES; i += 1) {
      // People do not change a resource the moment the last change has arrived; kubelet is slower then.
      await sleep(500 + (i % 10) * 100);
      const routes = [{ name: `route-${i}`, upstreams: [{ name: 'claude' }] }];
      const startedAtMs = Date.now();
      await proxy.mergePatch(`/apis/sluice.dev/v1alpha1/namespaces/${stage.namespace}/streamproxies/llm`, {
        spec: { routes },
      });
      const { atMs } = JSON.parse(await watch.next()) as { atMs: number };
      delaysMs.push(atMs - startedAtMs);
    }
    delaysMs.sort((a, b) => a - b);
    const quantile = (q: number): number =>
      delaysMs[Math.min(delaysMs.length - 1, Math.floor(q * delaysMs.length))] ?? Number.NaN;
    context.diagnostic(
      `changed route to running sidecar, ${CHANGES} changes 0.5 to 1.4 s apart: p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`,
    );
    assert.ok(quantile(1) < 30_000, 'every change arrives, long before kubelet would look by itself');
  } finally {
    await watch.end();
    await proxy.end();
  }
});
