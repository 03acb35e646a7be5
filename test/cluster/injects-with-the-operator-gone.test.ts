/** Promise 5: injection does not depend on us being up. With the operator scaled to zero every new annotated pod is injected. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed, SYSTEM_NAMESPACE } from '../support/cluster/installed.ts';
import { list, pod } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { until } from '../support/cluster/wait.ts';

const COUNT = 100;

let ready: Installed;
let stage: Scene;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'no-operator');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
});

after(async () => {
  await ready?.kubectl.do([
    '-n',
    SYSTEM_NAMESPACE,
    'scale',
    'deployment',
    '-l',
    'app.kubernetes.io/name=sluice',
    '--replicas=1',
  ]);
  await ready?.kubectl.do([
    '-n',
    SYSTEM_NAMESPACE,
    'rollout',
    'status',
    'deployment',
    '-l',
    'app.kubernetes.io/name=sluice',
    '--timeout=120s',
  ]);
  await stage?.end();
});

interface Pods {
  items: {
    metadata: { name: string; labels: Record<string, string> };
    spec: { initContainers?: { name: string }[] };
    status: { conditions?: { type: string; status: string }[] };
  }[];
}

test(`${COUNT} of ${COUNT} new annotated pods are injected with the operator scaled to zero, and become ready`, async () => {
  await ready.kubectl.do([
    '-n',
    SYSTEM_NAMESPACE,
    'scale',
    'deployment',
    '-l',
    'app.kubernetes.io/name=sluice',
    '--replicas=0',
  ]);
  await until('the operator to be gone', async () => {
    const pods = await ready.kubectl.get<Pods>(['-n', SYSTEM_NAMESPACE, 'pods', '-l', 'app.kubernetes.io/name=sluice']);
    return pods.items.length === 0 ? true : undefined;
  });

  const pods = Array.from({ length: COUNT }, (_, i) =>
    pod({
      name: `agent-${i}`,
      image: ready.testImage,
      inject: 'llm',
      args: ['client', 'idle'],
      terminationGracePeriodSeconds: 1,
    }),
  );
  await stage.apply(list(...pods));

  const made = await ready.kubectl.get<Pods>(['-n', stage.namespace, 'pods', '-l', 'sluice.dev/proxy=llm']);
  assert.equal(made.items.length, COUNT);
  assert.deepEqual(
    made.items.filter((p) => p.spec.initContainers?.[0]?.name !== 'sluice').map((p) => p.metadata.name),
    [],
  );

  await until(
    'all pods to be ready',
    async () => {
      const now = await ready.kubectl.get<Pods>(['-n', stage.namespace, 'pods', '-l', 'sluice.dev/proxy=llm']);
      const isReady = (p: Pods['items'][number]): boolean =>
        p.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
      return now.items.filter(isReady).length === COUNT ? true : undefined;
    },
    { timeoutMs: 420_000, everyMs: 2_000 },
  );
});
