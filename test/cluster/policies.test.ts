/** Promise: the chart's policies refuse what they are for, with the way out, and nothing else. On a real API server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { OPERATOR, policiesInForce, profile, SYSTEM_NAMESPACE } from '../support/chart/policies.ts';
import type { RunResult } from '../support/cluster/kubectl.ts';
import { list } from '../support/cluster/objects.ts';
import { until } from '../support/cluster/wait.ts';

const policies = await policiesInForce();
const options = {
  skip: policies === undefined && 'no cluster can run on this machine, and SLUICE_KUBECONFIG is not set',
};
const namespace = `policies-${randomBytes(3).toString('hex')}`;
const ANNOTATION = 'sluice.dev/inject';

function here() {
  assert.ok(policies);
  return policies;
}

function pod(name: string, inject?: string, spec: object = {}, container: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...(inject !== undefined && { annotations: { [ANNOTATION]: inject } }) },
    // No node has this label: a pod that is stored stays pending.
    spec: { nodeSelector: { nowhere: 'true' }, containers: [{ name: 'app', image: 'none', ...container }], ...spec },
  };
}

function refused(result: RunResult, ...patterns: RegExp[]): void {
  assert.notEqual(result.code, 0, `was not refused: ${result.stdout}`);
  assert.match(result.stderr, /ValidatingAdmissionPolicy/);
  for (const pattern of patterns) assert.match(result.stderr, pattern);
}

function allowed(result: RunResult): void {
  assert.equal(result.code, 0, result.stderr);
}

before(async () => {
  if (policies === undefined) return;
  await policies.kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
  await until('the namespace to have its account', async () => {
    const found = await policies.create(pod('probe'));
    return found.code === 0 || undefined;
  });
  allowed(await policies.store(profile('llm', namespace), OPERATOR));
  await until(
    'the profile to be known',
    async () => (await policies.create(pod('probe', 'llm'))).code === 0 || undefined,
  );
});

after(async () => {
  await policies?.kubectl.try(['delete', 'namespace', namespace, '--wait=false']);
});

test('policy verify-injection refuses a pod that names no StreamProxy, and says how to look', options, async () => {
  refused(
    await here().create(pod('a', 'absent')),
    /StreamProxy "absent" into a pod of namespace "policies-/,
    new RegExp(`kubectl get streamproxy absent -n ${namespace}`),
    /not compiled it yet/,
  );
  refused(await here().create(pod('a', '')), /annotation sluice\.dev\/inject is empty\. Set it to the name/);
  refused(await here().create(pod('a', 'x'.repeat(5000))), /StreamProxy "x{63}…"/);
  allowed(await here().create(pod('a', 'llm')));
  allowed(await here().create(pod('a')));
});

test(
  'policy verify-injection refuses an annotated pod of an excluded namespace, and names the value',
  options,
  async () => {
    const excluded = pod('a', 'llm');
    refused(
      await here().create({ ...excluded, metadata: { ...excluded.metadata, namespace: 'kube-system' } }),
      /into namespace "kube-system": it is among injection\.excludedNamespaces/,
    );
  },
);

test('policy verify-injection refuses an init container that only has the name of the sidecar', options, async () => {
  const spec = { initContainers: [{ name: 'sluice', image: 'none' }] };
  refused(
    await here().create(pod('a', 'llm', spec)),
    /init container "sluice" .* restartPolicy is not Always\. Rename/,
  );
  allowed(await here().create(pod('a', undefined, spec)));
});

for (const [name, spec, container] of [
  ['hostNetwork', { hostNetwork: true }, {}],
  ['shareProcessNamespace', { shareProcessNamespace: true }, {}],
  ['hostPID', { hostPID: true }, {}],
  ['os.name', { os: { name: 'windows' } }, {}],
] as const) {
  test(
    `policy pod-shape refuses an annotated pod with ${name}, and lets one without annotation pass`,
    options,
    async () => {
      refused(
        await here().create(pod('a', 'llm', spec, container)),
        new RegExp(name.replace('.', '\\.')),
        /remove the annotation|Remove the annotation/i,
      );
      allowed(await here().create(pod('a', undefined, spec, container)));
    },
  );
}

test('policy sidecar-volumes refuses a pod that lacks a volume, or whose volume may hold keys', options, async () => {
  const mounts = ['work', 'data'].map((name) => ({ name, mountPath: `/${name}` }));
  allowed(await here().store(profile('mounts', namespace, mounts), OPERATOR));
  const sent = (data: object | undefined, inject?: string) => {
    const volumes = [{ name: 'work', emptyDir: {} }, ...(data ? [{ name: 'data', ...data }] : [])];
    return here().create(pod('a', inject, { volumes }));
  };
  const made = await until('the profile to be known', async () => {
    const result = await sent({ emptyDir: {} }, 'mounts');
    return result.code === 0 ? (JSON.parse(result.stdout) as Injected) : undefined;
  });
  const names = made.spec.initContainers?.[0]?.volumeMounts?.map(({ name }) => name) ?? [];
  assert.deepEqual(names.slice(0, 3), ['sluice-config', 'work', 'data']);
  refused(
    await sent(undefined, 'mounts'),
    /StreamProxy "mounts": it mounts the volume "data" and the pod has none of that name\. Add it to spec\.volumes/,
  );
  refused(await here().create(pod('a', 'mounts')), /the volume "work", "data"/);
  const resources = { requests: { storage: '1Mi' } };
  const claim = { accessModes: ['ReadWriteOnce'], resources };
  allowed(await sent({ persistentVolumeClaim: { claimName: 'data' } }, 'mounts'));
  allowed(await sent({ ephemeral: { volumeClaimTemplate: { spec: claim } } }, 'mounts'));
  for (const data of [
    { secret: { secretName: 'theirs' } },
    { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
    { hostPath: { path: '/etc' } },
    { configMap: { name: 'theirs' } },
    { csi: { driver: 'secrets-store.csi.k8s.io' } },
  ]) {
    refused(await sent(data, 'mounts'), /the volume "data", which is no emptyDir, .* must not read\. Put the files/);
    allowed(await sent(data));
  }
});

test('policy inject leaves other pods as they are, and an injected one as it is', options, async () => {
  const bare = JSON.parse((await here().create(pod('a'))).stdout) as Injected;
  assert.equal(bare.spec.initContainers, undefined);
  const once = JSON.parse((await here().create(pod('a', 'llm'))).stdout) as Injected;
  assert.deepEqual(
    once.spec.initContainers?.map(({ name }) => name),
    ['sluice'],
  );
  assert.equal(once.metadata.labels?.['sluice.dev/proxy'], 'llm');
  const { name, labels, annotations } = once.metadata;
  const again = await here().create({ ...once, metadata: { name, namespace, labels, annotations }, status: undefined });
  assert.deepEqual((JSON.parse(again.stdout) as Injected).spec, once.spec);
});

test('policy inject copes with the largest pods that people make', options, async () => {
  const env = Array.from({ length: 200 }, (_, index) => ({ name: `VARIABLE_${index}`, value: 'x'.repeat(100) }));
  const containers = Array.from({ length: 20 }, (_, index) => ({ name: `c${index}`, image: 'none', env }));
  const result = await here().create(
    pod('a', 'llm', { containers, initContainers: containers.map((c) => ({ ...c, name: `i-${c.name}` })) }),
  );
  allowed(result);
  const made = JSON.parse(result.stdout) as Injected;
  for (const container of [...made.spec.containers, ...(made.spec.initContainers ?? []).slice(1)]) {
    assert.deepEqual(
      container.env?.slice(200).map((variable) => variable.name),
      ['OPENAI_BASE_URL', 'NO_PROXY', 'no_proxy'],
    );
  }
});

test('policy profile-writer lets the operator alone write what ends up in pods', options, async () => {
  refused(
    await here().create(profile('mine', namespace)),
    /Cannot write a SidecarProfile by hand/,
    /kubectl edit streamproxy/,
  );
  allowed(await here().create(profile('mine', namespace), OPERATOR));
  const patch = (json: string) =>
    here().kubectl.try([
      '-n',
      namespace,
      'patch',
      'sidecarprofile',
      'llm',
      '--type=merge',
      '--dry-run=server',
      '-p',
      json,
    ]);
  refused(await patch('{"spec":{"container":{"image":"evil"}}}'), /Cannot write a SidecarProfile by hand/);
  allowed(await patch('{"metadata":{"finalizers":[]}}'));
  allowed(await here().kubectl.try(['-n', namespace, 'delete', 'sidecarprofile', 'llm', '--dry-run=server']));
});

test('policy operator-pods lets the operator set its one annotation and nothing else', options, async () => {
  allowed(
    await here().store({
      ...pod('victim'),
      metadata: { name: 'victim', namespace, labels: { a: 'b' }, annotations: { theirs: 'x' } },
    }),
  );
  const patch = (json: object) =>
    here().kubectl.try([
      '-n',
      namespace,
      'patch',
      'pod',
      'victim',
      '--type=merge',
      '--dry-run=server',
      `--as=${OPERATOR}`,
      '-p',
      JSON.stringify(json),
    ]);
  allowed(await patch({ metadata: { annotations: { 'sluice.dev/config-revision': 'r1' } } }));
  for (const change of [
    { metadata: { annotations: { other: 'x' } } },
    { metadata: { annotations: { theirs: 'y' } } },
    { metadata: { annotations: { theirs: null } } },
    { metadata: { labels: { a: 'c' } } },
    { metadata: { finalizers: ['example.com/stay'] } },
    { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }] } },
    { spec: { activeDeadlineSeconds: 5 } },
  ]) {
    refused(await patch(change), /may set the annotation sluice\.dev\/config-revision and nothing else/);
  }
});

test(
  'policy operator-pods lets the operator create a pod as a dry run alone, in its own namespace alone',
  options,
  async () => {
    const own = { ...pod('probe'), metadata: { name: 'probe', namespace: SYSTEM_NAMESPACE } };
    allowed(await here().create(own, OPERATOR));
    refused(await here().store(own, OPERATOR), /dry run alone/);
    const elsewhere = await here().create(pod('probe'), OPERATOR);
    assert.match(elsewhere.stderr, /cannot create resource "pods"/);
  },
);

test('policy operator-secrets lets the operator write its own Secrets alone', options, async () => {
  const labels = { 'app.kubernetes.io/managed-by': 'sluice' };
  const secret = (metadata: object, type = 'Opaque') => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: { namespace, ...metadata },
  });
  allowed(await here().create(secret({ name: 'sluice-llm', labels }), OPERATOR));
  refused(
    await here().create(secret({ name: 'sluice-llm' }), OPERATOR),
    /whose label app\.kubernetes\.io\/managed-by is sluice/,
  );
  refused(await here().create(secret({ name: 'other', labels }), OPERATOR), /name starts with sluice-/);
  const token = secret(
    { name: 'sluice-t', labels, annotations: { 'kubernetes.io/service-account.name': 'default' } },
    'kubernetes.io/service-account-token',
  );
  refused(await here().create(token, OPERATOR), /it may write Opaque ones alone/);
  allowed(await here().store(secret({ name: 'sluice-theirs' })));
  refused(
    await here().store(secret({ name: 'sluice-theirs', labels }), OPERATOR),
    /take over Secret "sluice-theirs" .*Rename or delete that Secret, or give the StreamProxy another name/,
  );
  allowed(await here().create(secret({ name: 'anything' })));
});

test('the operator may read Secrets by name, and neither list nor delete them', options, async () => {
  const can = async (verb: string, resource: string, where = namespace) =>
    (
      await here().kubectl.try(['auth', 'can-i', verb, ...resource.split(' '), '-n', where, `--as=${OPERATOR}`])
    ).stdout.trim();
  for (const [verb, resource] of [
    ['get', 'secrets'],
    ['patch', 'secrets'],
    ['patch', 'pods'],
    ['patch', 'streamproxies --subresource=status'],
    ['create', 'events.events.k8s.io'],
  ] as const) {
    assert.equal(await can(verb, resource), 'yes', `${verb} ${resource}`);
  }
  for (const [verb, resource] of [
    ['list', 'secrets'],
    ['delete', 'secrets'],
    ['create', 'pods'],
    ['delete', 'pods'],
    ['patch', 'streamproxies'],
    ['create', 'leases'],
  ] as const) {
    assert.equal(await can(verb, resource), 'no', `${verb} ${resource}`);
  }
  assert.equal(await can('update', 'leases', SYSTEM_NAMESPACE), 'yes');
});

interface Injected {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: { readonly containers: Container[]; readonly initContainers?: Container[] };
}

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string }[];
  readonly volumeMounts?: readonly { readonly name: string }[];
}
