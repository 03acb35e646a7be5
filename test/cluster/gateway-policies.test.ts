/** Promise: the operator's right to make Deployments and Services reaches as far as gateways need, and nobody lends a gateway a Secret that he may not read. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { StreamProxy } from '../../contract/resources.ts';
import { gatewayObjects } from '../../operator/gateway/objects.ts';
import { OPERATOR, policiesInForce, SYSTEM_NAMESPACE } from '../support/chart/policies.ts';
import type { RunResult } from '../support/cluster/kubectl.ts';
import { list } from '../support/cluster/objects.ts';
import { until } from '../support/cluster/wait.ts';

const policies = await policiesInForce();
const options = {
  skip: policies === undefined && 'no cluster can run on this machine, and SLUICE_KUBECONFIG is not set',
};
const namespace = `gateways-${randomBytes(3).toString('hex')}`;

interface Made {
  readonly metadata: Record<string, unknown>;
  readonly spec: Record<string, unknown>;
}
interface PodSpec {
  readonly containers: readonly Record<string, unknown>[];
  readonly volumes: readonly object[];
}

let deployment: Made;
let service: Made;
let budget: Made;

function here() {
  assert.ok(policies);
  return policies;
}

before(async () => {
  if (policies === undefined) return;
  const found = await policies.kubectl.get<{ items: { spec: { template: { spec: PodSpec } } }[] }>([
    '-n',
    SYSTEM_NAMESPACE,
    'deployments',
    '-l',
    'app.kubernetes.io/name=sluice',
  ]);
  const image = String(found.items[0]?.spec.template.spec.containers[0]?.['image']);
  const settings = { image, imagePullPolicy: 'IfNotPresent', resources: { requests: {}, limits: {} } } as const;
  const gateway = { plaintext: {}, clients: [{ name: 'apps', serviceAccount: { namespace: 'apps' } }] };
  const resource: StreamProxy = {
    metadata: { name: 'shared', namespace, uid: '4c1e3a0a-6a0b-4b0e-9a43-0c8d6d3a1f10' },
    spec: { gateway, upstreams: [], routes: [] },
  };
  const objects = gatewayObjects(settings, resource, gateway);
  [budget, service, deployment] = objects.map(({ kind, object }) => ({
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    ...object,
  })) as unknown as [Made, Made, Made];
  await policies.kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
  await until('the policy to be in force', async () => {
    const { stderr } = await policies.create(named(deployment, 'other'), OPERATOR);
    return stderr.includes('ValidatingAdmissionPolicy') ? true : undefined;
  });
});

after(async () => {
  await policies?.kubectl.try(['delete', 'namespace', namespace, '--wait=false']);
});

function named(object: Made, name: string): Made {
  return { ...object, metadata: { ...object.metadata, name } };
}

function withPod(change: (pod: PodSpec) => object): Made {
  const { template, ...spec } = deployment.spec as { template: { metadata: object; spec: PodSpec } };
  return {
    ...deployment,
    spec: { ...spec, template: { ...template, spec: { ...template.spec, ...change(template.spec) } } },
  };
}

function withContainer(change: object): Made {
  return withPod(({ containers }) => ({ containers: [{ ...containers[0], ...change }] }));
}

function refused(result: RunResult, pattern: RegExp): void {
  assert.notEqual(result.code, 0, `was not refused: ${result.stdout}`);
  assert.match(result.stderr, /ValidatingAdmissionPolicy/);
  assert.match(result.stderr, pattern);
}

test('policy operator-gateways lets the operator write what a gateway is made of, and change it', options, async () => {
  for (const object of [budget, service, deployment]) {
    const result = await here().store(object, OPERATOR);
    assert.equal(result.code, 0, result.stderr);
  }
  const scaled = { ...deployment, spec: { ...deployment.spec, replicas: 0 } };
  assert.equal((await here().store(scaled, OPERATOR)).code, 0);
});

for (const [what, make, pattern] of [
  ['another image', () => withContainer({ image: 'example.org/other:1' }), /Sluice's own image/],
  ['a command', () => withContainer({ command: ['node'] }), /Sluice's own image/],
  ['other arguments', () => withContainer({ args: ['operator'] }), /Sluice's own image/],
  ['a writable root', () => withContainer({ securityContext: {} }), /Pod Security restricted/],
  [
    "somebody's Secret in its environment",
    () => withContainer({ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'x', key: 'y' } } }] }),
    /without Secrets in its environment/,
  ],
  [
    'a second container',
    () => withPod(({ containers }) => ({ containers: [...containers, { ...containers[0], name: 'b' }] })),
    /one container/,
  ],
  ['another account', () => withPod(() => ({ serviceAccountName: 'admin' })), /no API token/],
  ['an API token', () => withPod(() => ({ automountServiceAccountToken: true })), /no API token/],
  ["the node's network", () => withPod(() => ({ hostNetwork: true })), /nothing of the node's/],
  [
    "the node's files",
    () => withPod(({ volumes }) => ({ volumes: [...volumes, { name: 'n', hostPath: { path: '/' } }] })),
    /nothing of the node's/,
  ],
  [
    "somebody's Secret",
    () => withPod(({ volumes }) => ({ volumes: [...volumes, { name: 'n', secret: { secretName: 'theirs' } }] })),
    /no\s+Secret but the one/,
  ],
  [
    'no owner',
    () => ({ ...deployment, metadata: { ...deployment.metadata, ownerReferences: [] } }),
    /must belong to the StreamProxy/,
  ],
  ['the name of another', () => named(deployment, 'sluice-other'), /must belong to the StreamProxy/],
  ['any name', () => named(deployment, 'other'), /name starts with sluice-/],
  ['a public address', () => ({ ...service, spec: { ...service.spec, type: 'LoadBalancer' } }), /inside the cluster/],
  [
    'other pods',
    () => ({ ...service, spec: { ...service.spec, selector: { app: 'bank' } } }),
    /pods of its own gateway/,
  ],
] as const) {
  test(`policy operator-gateways refuses the operator an object with ${what}`, options, async () => {
    refused(await here().store({ ...make() }, OPERATOR), pattern);
  });
}

test(
  "policy operator-gateways keeps somebody else's Deployment from the operator, and lets anybody else be",
  options,
  async () => {
    const theirs = { ...deployment, metadata: { name: 'sluice-theirs', namespace, labels: { team: 'theirs' } } };
    const stored = await here().store({ ...theirs, spec: { ...theirs.spec, replicas: 0 } });
    assert.equal(stored.code, 0, stored.stderr);
    refused(await here().store(named(deployment, 'sluice-theirs'), OPERATOR), /Rename or delete the object/);
    const remove = ['-n', namespace, 'delete', 'deployment', 'sluice-theirs', '--dry-run=server', `--as=${OPERATOR}`];
    refused(await here().kubectl.try(remove), /Cannot let the Sluice operator touch this object/);
  },
);

test('policy streamproxy-secrets asks for the Secrets of TLS and of clients too', options, async () => {
  const rules = [{ apiGroups: ['sluice.dev'], resources: ['streamproxies'], verbs: ['get', 'create', 'patch'] }];
  const metadata = { name: 'writes-streamproxies', namespace };
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules };
  const subjects = [{ kind: 'User', name: 'bob', apiGroup: 'rbac.authorization.k8s.io' }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name };
  await here().kubectl.apply(list(role, { ...role, kind: 'RoleBinding', rules: undefined, roleRef, subjects }));
  const resource = (gateway: object) => ({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'shared', namespace },
    spec: {
      gateway,
      upstreams: [{ name: 'up', dialect: 'raw', url: 'https://up.example' }],
      routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
    },
  });
  const account = [{ name: 'a', serviceAccount: { namespace: 'apps' } }];
  await until('the role to be known', async () => {
    const { code, stderr } = await here().create(resource({ plaintext: {}, clients: account }), 'bob');
    return code === 0 || stderr.includes('ValidatingAdmissionPolicy') ? true : undefined;
  });
  assert.equal((await here().create(resource({ plaintext: {}, clients: account }), 'bob')).code, 0);
  const tls = { tls: { secret: { name: 'their-tls' } }, clients: account };
  refused(await here().create(resource(tls), 'bob'), /"bob" may not get Secret "their-tls"/);
  const key = { plaintext: {}, clients: [{ name: 'a', secret: { name: 'their-key', key: 'k' } }] };
  refused(await here().create(resource(key), 'bob'), /"bob" may not get Secret "their-key"/);
});
