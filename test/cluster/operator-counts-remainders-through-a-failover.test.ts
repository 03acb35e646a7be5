/** Of several operators one counts what ended pods left behind, and when it dies the next one counts what ended meanwhile, and nothing twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remainderMessage } from '../../contract/remainder.ts';
import { KINDS } from '../../operator/cluster/kinds.ts';
import { until } from '../support/cluster/wait.ts';
import { type OperatorProcess, type OperatorScene, operatorScene, startOperator } from '../support/operator-process.ts';

const SPEC = {
  upstreams: [{ name: 'a', dialect: 'raw', url: 'http://a' }],
  routes: [{ name: 'all', upstreams: [{ name: 'a' }] }],
  logging: { targets: [{ name: 'store', http: { url: 'http://store' } }] },
};

async function apply({ kubectl, namespace }: OperatorScene, object: object): Promise<void> {
  const { metadata, ...rest } = object as { metadata: object };
  await kubectl.apply(JSON.stringify({ ...rest, metadata: { ...metadata, namespace } }));
}

/** A pod's life as a kubelet tells it: it runs, is deleted, ends with something left, and is gone. There is no node here. */
async function endPod(scene: OperatorScene, name: string, waiting: number): Promise<void> {
  const { kubectl, namespace } = scene;
  const own = { name: 'sluice', image: 'example.org/sluice:1.0.0' };
  await apply(scene, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { 'sluice.dev/proxy': 'llm' } },
    spec: {
      nodeName: 'nowhere',
      initContainers: [{ ...own, restartPolicy: 'Always' }],
      containers: [{ name: 'app', image: 'example.org/app:1.0.0' }],
    },
  });
  await kubectl.do(['-n', namespace, 'delete', 'pod', name, '--wait=false']);
  const message = remainderMessage({ final: true, targets: [{ name: 'store', waiting, dropped: 0 }] });
  const now = new Date().toISOString();
  const terminated = { exitCode: 0, reason: 'Completed', message, startedAt: now, finishedAt: now };
  const common = { image: own.image, imageID: '', ready: false, restartCount: 0 };
  const initContainerStatuses = [{ ...common, name: own.name, state: { terminated } }];
  const patch = JSON.stringify({ status: { phase: 'Failed', initContainerStatuses } });
  await kubectl.do(['-n', namespace, 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch]);
  await kubectl.do(['-n', namespace, 'delete', 'pod', name, '--force', '--grace-period=0']);
}

async function counted({ url }: OperatorProcess): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = /^sluice_operator_undelivered_records_total\{.*streamproxy="llm",target="store"\} (\d+)$/m.exec(text);
  return line ? Number(line[1]) : undefined;
}

const untilCounted = (operator: OperatorProcess, records: number): Promise<true> =>
  until(`${records} records to be counted`, async () => ((await counted(operator)) === records ? true : undefined));

async function told({ admin, namespace, signal }: OperatorScene): Promise<string[]> {
  const { items } = await admin.list(KINDS.event, { namespace }, undefined, signal);
  const ours = items.filter((event) => event['reason'] === 'RecordsLeftBehind');
  return ours.map((event) => (event['related'] as { name: string }).name).sort();
}

test('counts what pods left behind through a failover, once', async (t) => {
  const scene = await operatorScene(t);
  if (!scene) return;
  // No controllers run here that would make it.
  await until('the service account', async () => {
    await apply(scene, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } });
    return true;
  });
  await apply(scene, { apiVersion: 'sluice.dev/v1alpha1', kind: 'StreamProxy', metadata: { name: 'llm' }, spec: SPEC });
  const first = await startOperator(t, scene, { name: 'first' });
  await untilCounted(first, 0);
  const second = await startOperator(t, scene, { name: 'second' });

  await endPod(scene, 'before', 5);
  await untilCounted(first, 5);
  assert.equal(await counted(second), undefined, 'one that does not lead has no series');

  first.child.kill('SIGKILL');
  await first.ended;
  await endPod(scene, 'meanwhile', 2);
  await untilCounted(second, 2);
  await endPod(scene, 'after', 1);
  await untilCounted(second, 3);
  assert.deepEqual(await told(scene), ['after', 'before', 'meanwhile']);
  await second.stop();
});
