/** Whatever happens to the connection, a change is seen within seconds of its healing: cut, refused, API server killed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { KINDS } from '../../operator/cluster/kinds.ts';
import { until } from '../support/cluster/wait.ts';
import { cuttingProxy } from '../support/cutting-proxy.ts';
import { type OperatorScene, operatorScene, startOperator } from '../support/operator-process.ts';

/** Longest time from healing to delivery. The backoff is at most 5 s, and the machine may be busy. */
const HEALED_MS = 15_000;

async function change({ kubectl, namespace }: OperatorScene, host: string): Promise<void> {
  const spec = {
    upstreams: [
      {
        name: 'claude',
        dialect: 'anthropic',
        url: `https://${host}`,
        credentials: [{ secret: { name: 'key', key: 'key' } }],
      },
    ],
    routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
  };
  await kubectl.apply(
    JSON.stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'StreamProxy',
      metadata: { name: 'llm', namespace },
      spec,
    }),
  );
}

async function changeKey({ kubectl, namespace }: OperatorScene, key: string): Promise<void> {
  await kubectl.apply(
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key', namespace }, stringData: { key } }),
  );
}

/** @returns milliseconds until the delivered Secret holds the text */
async function delivered(
  { admin, namespace, signal }: OperatorScene,
  text: string,
  timeoutMs = HEALED_MS,
): Promise<number> {
  const startedAtMs = performance.now();
  await until(
    `"${text}" to be delivered`,
    async () => {
      const secret = await admin.get(KINDS.secret, { namespace, name: 'sluice-llm' }, signal);
      const values = Object.values((secret?.['data'] ?? {}) as Record<string, string>);
      return values.some((value) => Buffer.from(value, 'base64').toString().includes(text)) ? true : undefined;
    },
    { timeoutMs },
  );
  return performance.now() - startedAtMs;
}

test('survives API faults', async (t) => {
  const scene = await operatorScene(t);
  if (!scene) return;
  const proxy = await cuttingProxy(t, scene.plane.server);
  const operator = await startOperator(t, scene, { server: proxy.url });
  await changeKey(scene, 'key-0');
  await change(scene, 'start.example');
  await delivered(scene, 'start.example');

  await t.test('connections that are reset, again and again', async () => {
    for (let round = 0; round < 5; round += 1) {
      proxy.cut();
      await pause(200);
    }
    await change(scene, 'after-cuts.example');
    await delivered(scene, 'after-cuts.example');
    await changeKey(scene, 'key-after-cuts');
    await delivered(scene, 'key-after-cuts');
  });

  await t.test('an API server that refuses every connection for a while; the change falls into it', async () => {
    proxy.mode('refusing');
    proxy.cut();
    await change(scene, 'while-refused.example');
    await pause(3000);
    proxy.mode('open');
    await delivered(scene, 'while-refused.example');
  });

  await t.test('it is not asked in a storm while it refuses', async () => {
    const before = proxy.opened();
    proxy.mode('refusing');
    proxy.cut();
    await pause(4000);
    proxy.mode('open');
    // Three watches, each with some six tries in that time, and the lease.
    assert.ok(proxy.opened() - before < 60, `${proxy.opened() - before} connections in 4 s`);
    await changeKey(scene, 'key-after-storm');
    await delivered(scene, 'key-after-storm');
  });

  await t.test('an API server that is killed and comes back', async () => {
    const restarted = scene.plane.restartApiServer();
    await restarted;
    await change(scene, 'after-restart.example');
    await delivered(scene, 'after-restart.example', 30_000);
  });

  await t.test('watches go on by themselves: the lease is held, or the process ended for it', async () => {
    assert.equal(operator.child.exitCode, null, operator.log().slice(-2000));
    const metrics = await (await fetch(`${operator.url}/metrics`)).text();
    assert.match(metrics, /sluice_operator_leader 1/);
    assert.match(metrics, /sluice_operator_watch_failures_total\{kind="StreamProxy"\} \d+/);
  });

  await operator.stop();
  assert.deepEqual(await operator.ended, [0, null], 'it stops cleanly all the same');
});

test('a deletion and a creation that fell into an outage are both seen', async (t) => {
  const scene = await operatorScene(t);
  if (!scene) return;
  const proxy = await cuttingProxy(t, scene.plane.server);
  const operator = await startOperator(t, scene, { server: proxy.url });
  await changeKey(scene, 'key-0');
  await change(scene, 'first.example');
  await delivered(scene, 'key-0');
  proxy.mode('refusing');
  proxy.cut();
  await scene.kubectl.do(['-n', scene.namespace, 'delete', 'secret', 'key']);
  proxy.mode('open');
  await until('the missing Secret to be reported', async () => {
    const resource = await scene.admin.get(
      KINDS.streamProxy,
      { namespace: scene.namespace, name: 'llm' },
      scene.signal,
    );
    return JSON.stringify(resource?.['status']).includes('SecretNotFound') ? true : undefined;
  });
  proxy.mode('refusing');
  proxy.cut();
  await changeKey(scene, 'key-anew');
  proxy.mode('open');
  await delivered(scene, 'key-anew');
  // Stopping must need nobody else: the lease cannot be given back, and no watch or connection may hold the process.
  await scene.plane.stopApiServer();
  await operator.stop();
  assert.deepEqual(await operator.ended, [0, null]);
});
