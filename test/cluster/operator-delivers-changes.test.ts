/** A StreamProxy becomes one Secret and one SidecarProfile; each change of it or of its Secrets reaches every sidecar, and the status says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type KubeObject } from '../../operator/cluster/kinds.ts';
import type { Status } from '../../operator/status/conditions.ts';
import { until } from '../support/cluster/wait.ts';
import { fakeSidecar } from '../support/fake-sidecar.ts';
import { type OperatorScene, operatorScene, startOperator } from '../support/operator-process.ts';

const KEYS = { first: 'sk-first-4f6c1e', second: 'sk-second-9b2a7d' };

function streamProxy(namespace: string, name: string, host = 'api.anthropic.com'): string {
  return JSON.stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name, namespace },
    spec: {
      upstreams: [
        {
          name: 'claude',
          dialect: 'anthropic',
          url: `https://${host}`,
          credentials: [{ secret: { name: `${name}-key`, key: 'key' } }],
        },
      ],
      routes: [{ name: 'all', upstreams: [{ name: 'claude' }] }],
    },
  });
}

function secret(namespace: string, name: string, key: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: { key } });
}

async function statusOf({ admin, namespace, signal }: OperatorScene, name: string): Promise<Status> {
  return ((await admin.get(KINDS.streamProxy, { namespace, name }, signal))?.['status'] ?? {}) as Status;
}

async function untilProgrammed(
  scene: OperatorScene,
  name: string,
  isGood: (status: Status) => boolean = () => true,
): Promise<Status> {
  return until(`${name} to be programmed`, async () => {
    const status = await statusOf(scene, name);
    const programmed = status.conditions?.find(({ type }) => type === 'Programmed');
    return programmed?.status === 'True' && isGood(status) ? status : undefined;
  });
}

async function delivered(
  { admin, namespace, signal }: OperatorScene,
  name: string,
): Promise<{ object: KubeObject; text: string }> {
  const object = await admin.get(KINDS.secret, { namespace, name: `sluice-${name}` }, signal);
  assert.ok(object, 'the Secret was not delivered');
  const data = Object.entries((object['data'] ?? {}) as Record<string, string>);
  return { object, text: data.map(([file, value]) => `${file}=${Buffer.from(value, 'base64').toString()}`).join('\n') };
}

test('delivers changes', async (t) => {
  const scene = await operatorScene(t);
  if (!scene) return;
  const { kubectl, namespace, admin, signal } = scene;
  const operator = await startOperator(t, scene);
  await kubectl.apply(secret(namespace, 'llm-key', KEYS.first));
  await kubectl.apply(streamProxy(namespace, 'llm'));
  await untilProgrammed(scene, 'llm');

  await t.test('without the admission policies it is not ready, and says why', async () => {
    const ready = await fetch(`${operator.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /comes back without: the admission policy is missing/);
    assert.equal((await fetch(`${operator.url}/healthz`)).status, 200);
  });

  await t.test('Secret and profile belong to the resource', async () => {
    const uid = (await admin.get(KINDS.streamProxy, { namespace, name: 'llm' }, signal))?.metadata.uid;
    const profile = await admin.get(KINDS.sidecarProfile, { namespace, name: 'llm' }, signal);
    const { object, text } = await delivered(scene, 'llm');
    for (const owned of [profile, object]) {
      const [owner] = (owned?.metadata['ownerReferences'] ?? []) as { uid: string; controller: boolean }[];
      assert.deepEqual([owner?.uid, owner?.controller], [uid, true]);
    }
    assert.ok(text.includes(KEYS.first), 'the credential is beside the config');
  });

  const sidecars = await Promise.all(['a', 'b', 'c'].map((pod) => fakeSidecar(t, scene, 'llm', pod)));

  await t.test('every sidecar is told, asked, and counted', async () => {
    const status = await untilProgrammed(scene, 'llm', ({ pods }) => pods?.injected === 3);
    assert.deepEqual(status.pods, { injected: 3, current: 3, stale: 0, unreachable: 0 });
    for (const sidecar of sidecars) assert.equal(sidecar.revision(), status.revision);
  });

  await t.test('a changed Secret is a new revision, everywhere', async () => {
    const before = await statusOf(scene, 'llm');
    await kubectl.apply(secret(namespace, 'llm-key', KEYS.second));
    const after = await untilProgrammed(
      scene,
      'llm',
      ({ revision, pods }) => revision !== before.revision && pods?.current === 3,
    );
    assert.ok((await delivered(scene, 'llm')).text.includes(KEYS.second));
    for (const sidecar of sidecars) assert.equal(sidecar.revision(), after.revision);
  });

  await t.test('a sidecar that refuses the revision is named with its reason, and told again', async () => {
    sidecars[0]?.refuse('route "all" is not to its taste');
    await kubectl.apply(streamProxy(namespace, 'llm', 'api.example.org'));
    const message = await until('the stale pod to be named', async () => {
      const { conditions, pods } = await statusOf(scene, 'llm');
      const programmed = conditions?.find(({ type, reason }) => type === 'Programmed' && reason === 'PodsStale');
      return pods?.stale === 1 && pods.current === 2 ? programmed?.message : undefined;
    });
    assert.match(message, /runs in 2 of 3 sidecars\. Not in a \(stale: routes: route "all" is not to its taste\)/);
    const again = sidecars[0]?.told.length ?? 0;
    await until('the pod to be told again', () => ((sidecars[0]?.told.length ?? 0) > again ? true : undefined));
    sidecars[0]?.refuse(undefined);
    await untilProgrammed(scene, 'llm', ({ pods }) => pods?.current === 3);
  });

  await t.test(
    'a missing Secret is reported, and taken up when it comes; another resource is not touched by it',
    async () => {
      await kubectl.apply(streamProxy(namespace, 'other'));
      const status = await untilProgrammed(scene, 'other');
      assert.equal(status.conditions?.find(({ type }) => type === 'ResolvedRefs')?.reason, 'SecretNotFound');
      assert.equal(
        (await statusOf(scene, 'llm')).conditions?.find(({ type }) => type === 'ResolvedRefs')?.status,
        'True',
      );
      await kubectl.apply(secret(namespace, 'other-key', KEYS.first));
      await until('the reference to be resolved', async () => {
        const { conditions } = await statusOf(scene, 'other');
        return conditions?.some(({ type, status: holds }) => type === 'ResolvedRefs' && holds === 'True')
          ? true
          : undefined;
      });
    },
  );

  await t.test("somebody else's Secret of that name is left alone", async () => {
    await kubectl.apply(secret(namespace, 'sluice-taken', 'mine'));
    await kubectl.apply(streamProxy(namespace, 'taken'));
    const message = await until('the failure to be reported', async () => {
      const { conditions } = await statusOf(scene, 'taken');
      return conditions?.find(({ reason }) => reason === 'DeliveryFailed')?.message;
    });
    assert.match(message, /Secret "sluice-taken" .* is not Sluice's/);
    assert.equal((await delivered(scene, 'taken')).text, 'key=mine');
  });

  await t.test('no value of a Secret is in status, events, log or metrics', async () => {
    const seen = [
      await kubectl.do(['-n', namespace, 'get', 'streamproxies,sidecarprofiles,events,pods', '-o', 'json']),
      operator.log(),
      await (await fetch(`${operator.url}/metrics`)).text(),
    ].join('\n');
    assert.ok(seen.includes('SecretNotFound'), 'the events are there');
    for (const value of [
      ...Object.values(KEYS),
      ...Object.values(KEYS).map((key) => Buffer.from(key).toString('base64')),
    ]) {
      assert.ok(!seen.includes(value), 'a value of a Secret leaked');
    }
  });

  await operator.stop();
  assert.deepEqual(await operator.ended, [0, null]);
});
