/** One operator writes at a time: handed over at once on a stop, taken over after a crash, and never written by one that was overtaken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../../operator/cluster/kinds.ts';
import { until } from '../support/cluster/wait.ts';
import { type OperatorScene, operatorScene, startOperator } from '../support/operator-process.ts';

async function holder({ admin, namespace, signal }: OperatorScene): Promise<string> {
  const lease = await admin.get(KINDS.lease, { namespace, name: 'sluice-operator' }, signal);
  return (lease?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity ?? '';
}

async function untilHeldBy(scene: OperatorScene, name: string, timeoutMs = 60_000): Promise<number> {
  const startedAtMs = performance.now();
  await until(`${name} to lead`, async () => ((await holder(scene)).startsWith(`${name}_`) ? true : undefined), {
    timeoutMs,
  });
  return performance.now() - startedAtMs;
}

test('leads alone', async (t) => {
  const scene = await operatorScene(t);
  if (!scene) return;
  const first = await startOperator(t, scene, { name: 'first' });
  await untilHeldBy(scene, 'first');
  const second = await startOperator(t, scene, { name: 'second' });

  await t.test('a second one waits, and says that it is no leader', async () => {
    await pause(3000);
    assert.ok((await holder(scene)).startsWith('first_'));
    assert.match(await (await fetch(`${second.url}/metrics`)).text(), /sluice_operator_leader 0/);
  });

  await t.test('SIGTERM hands the lease over within a retry period', async () => {
    await first.stop();
    assert.deepEqual(await first.ended, [0, null]);
    const tookMs = await untilHeldBy(scene, 'second');
    t.diagnostic(`handed over in ${tookMs.toFixed(0)} ms`);
    assert.ok(tookMs < 10_000, `${tookMs} ms, where waiting for the end would take 15 s`);
  });

  await t.test('a leader that was stopped for longer than its lease writes nothing more, and ends', async () => {
    const third = await startOperator(t, scene, { name: 'third' });
    second.child.kill('SIGSTOP');
    const tookMs = await untilHeldBy(scene, 'third');
    t.diagnostic(`taken over after ${tookMs.toFixed(0)} ms`);
    const { namespace, kubectl } = scene;
    const spec = {
      upstreams: [{ name: 'a', dialect: 'raw', url: 'http://a' }],
      routes: [{ name: 'all', upstreams: [{ name: 'a' }] }],
    };
    await kubectl.apply(
      JSON.stringify({
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'StreamProxy',
        metadata: { name: 'late', namespace },
        spec,
      }),
    );
    second.child.kill('SIGCONT');
    assert.deepEqual(await second.ended, [1, null]);
    assert.ok((await holder(scene)).startsWith('third_'), 'the lease was not taken back');
    const events = await until('the new leader to report', async () => {
      const list = await scene.admin.list(KINDS.event, { namespace }, undefined, scene.signal);
      return list.items.length > 0 ? list.items : undefined;
    });
    const writers = events.map((event) => String(event['reportingInstance']).split('_')[0]);
    assert.deepEqual([...new Set(writers)], ['third']);
    await third.stop();
  });
});
