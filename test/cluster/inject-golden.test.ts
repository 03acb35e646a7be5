/** Promise: the admission policy does to every pod of test/golden/inject what the operator's model says. On a real API server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { OPERATOR, policiesInForce } from '../support/chart/policies.ts';
import { list } from '../support/cluster/objects.ts';
import { until } from '../support/cluster/wait.ts';
import { GOLDEN_PROFILES } from '../support/golden-profile.ts';

interface Pod {
  readonly metadata: { readonly labels?: object; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: object;
}

interface Expected {
  readonly decision: 'inject' | 'skip' | 'refuse';
  readonly pod?: Pod;
}

const GOLDEN = join(import.meta.dirname, '../golden/inject');
const policies = await policiesInForce();
const options = {
  skip: policies === undefined && 'no cluster can run on this machine, and SLUICE_KUBECONFIG is not set',
};
const namespace = `golden-${randomBytes(3).toString('hex')}`;

function here() {
  assert.ok(policies);
  return policies;
}

/** Without the API token, whose volume has a random name; in the namespace of this test. */
function sendable(pod: Pod, annotations: object | undefined) {
  return {
    ...pod,
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...pod.metadata, name: 'golden', namespace, annotations },
    spec: { ...pod.spec, automountServiceAccountToken: false },
  };
}

/** What the API server makes of a pod that injection leaves alone: its defaults written out. */
async function stored(pod: Pod): Promise<Pod> {
  const result = await here().create(sendable(pod, undefined));
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout) as Pod;
}

before(async () => {
  if (policies === undefined) return;
  await policies.kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
  for (const { metadata, spec } of GOLDEN_PROFILES) {
    const profile = { apiVersion: 'sluice.dev/v1alpha1', kind: 'SidecarProfile', spec };
    const made = await policies.store({ ...profile, metadata: { name: metadata.name, namespace } }, OPERATOR);
    assert.equal(made.code, 0, made.stderr);
    // It has whatever volume a profile mounts.
    const volumes = ['work', 'data'].map((name) => ({ name, emptyDir: {} }));
    const probe = { metadata: {}, spec: { containers: [{ name: 'app', image: 'none' }], volumes } };
    await until('the profile to be known', async () => {
      const result = await policies.create(sendable(probe, { 'sluice.dev/inject': metadata.name }));
      return result.code === 0 || undefined;
    });
  }
});

after(async () => {
  await policies?.kubectl.try(['delete', 'namespace', namespace, '--wait=false']);
});

for (const file of globSync('*.in.yaml', { cwd: GOLDEN }).sort()) {
  const name = basename(file, '.in.yaml');

  test(`the policy does to the pod ${name} what the model does`, options, async () => {
    const input = parse(readFileSync(join(GOLDEN, file), 'utf8')) as Pod;
    const expected = parse(readFileSync(join(GOLDEN, `${name}.out.yaml`), 'utf8')) as Expected;
    const result = await here().create(sendable(input, input.metadata.annotations));
    if (expected.decision === 'refuse') {
      assert.notEqual(result.code, 0, 'was not refused');
      assert.match(result.stderr, /ValidatingAdmissionPolicy|Duplicate value/);
      return;
    }
    assert.equal(result.code, 0, result.stderr);
    const actual = JSON.parse(result.stdout) as Pod;
    const wanted = await stored(expected.pod ?? input);
    assert.deepEqual(actual.spec, wanted.spec);
    assert.deepEqual(actual.metadata.labels, wanted.metadata.labels);
    assert.deepEqual(actual.metadata.annotations, input.metadata.annotations);
  });
}
