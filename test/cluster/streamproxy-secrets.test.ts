/** Promise: nobody has a key sent to a url of his own: who writes a StreamProxy must be allowed to get every Secret that it names. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { policiesInForce } from '../support/chart/policies.ts';
import type { RunResult } from '../support/cluster/kubectl.ts';
import { list } from '../support/cluster/objects.ts';
import { until } from '../support/cluster/wait.ts';

const policies = await policiesInForce();
const options = {
  skip: policies === undefined && 'no cluster can run on this machine, and SLUICE_KUBECONFIG is not set',
};
const namespace = `secrets-${randomBytes(3).toString('hex')}`;
/** May write StreamProxies and get the Secrets own-0 to own-24. */
const ALICE = 'alice';

function here() {
  assert.ok(policies);
  return policies;
}

const own = (count: number) => Array.from({ length: count }, (_, index) => `own-${index}`);

interface Places {
  readonly credentials?: readonly string[];
  readonly ca?: string;
  readonly dsn?: string;
}

function streamProxy(name: string, { credentials = [], ca, dsn }: Places) {
  const from = (secret: string) => ({ secret: { name: secret, key: 'key' } });
  const upstreams = Array.from({ length: Math.max(1, Math.ceil(credentials.length / 3)) }, (_, index) => ({
    name: `u${index}`,
    dialect: 'openai',
    url: 'https://api.example.com/v1',
    credentials: [{ client: {} }, ...credentials.slice(index * 3, index * 3 + 3).map(from)],
    ...(index === 0 && ca !== undefined && { tls: { ca: from(ca) } }),
  }));
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name, namespace },
    spec: {
      upstreams,
      routes: [{ name: 'all', upstreams: [{ name: 'u0' }] }],
      ...(dsn !== undefined && { logging: { targets: [{ name: 'pg', postgres: { dsn: from(dsn) } }] } }),
    },
  };
}

function refused(result: RunResult, ...patterns: RegExp[]): void {
  assert.notEqual(result.code, 0, `was not refused: ${result.stdout}`);
  for (const pattern of [/ValidatingAdmissionPolicy/, ...patterns]) assert.match(result.stderr, pattern);
}

function allowed(result: RunResult): void {
  assert.equal(result.code, 0, result.stderr);
}

before(async () => {
  if (policies === undefined) return;
  await policies.kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }));
  const rules = [
    { apiGroups: ['sluice.dev'], resources: ['streamproxies'], verbs: ['get', 'create', 'update', 'patch'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: own(25), verbs: ['get'] },
  ];
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'alice', namespace },
    rules,
  };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'alice' };
  const subjects = [{ kind: 'User', name: ALICE, apiGroup: 'rbac.authorization.k8s.io' }];
  await policies.kubectl.apply(list(role, { ...role, kind: 'RoleBinding', rules: undefined, roleRef, subjects }));
  await until(
    'alice to have her rights',
    async () => (await policies.create(streamProxy('probe', {}), ALICE)).code === 0 || undefined,
  );
});

after(async () => {
  await policies?.kubectl.try(['delete', 'namespace', namespace, '--wait=false']);
});

for (const [place, places] of Object.entries({
  'an upstream credential': { credentials: ['stolen'] },
  'a second credential': { credentials: ['own-0', 'stolen'] },
  'a certificate authority': { ca: 'stolen' },
  'a connection string': { credentials: own(2), dsn: 'stolen' },
  'the last of 24 Secrets': { credentials: [...own(23), 'stolen'] },
})) {
  test(`a Secret that the writer may not get is refused as ${place}, by name`, options, async () => {
    refused(
      await here().create(streamProxy('a', places), ALICE),
      /"alice" may not get Secret .*"stolen"/,
      new RegExp(`in namespace "${namespace}"`),
      /ask for that right, or name Secrets of yours/,
    );
    allowed(await here().create(streamProxy('a', places)));
  });
}

test('Secrets that the writer may get are allowed, 24 of them at most', options, async () => {
  allowed(await here().create(streamProxy('a', { credentials: own(1), ca: 'own-1', dsn: 'own-2' }), ALICE));
  allowed(await here().create(streamProxy('a', { credentials: own(24), ca: 'own-3', dsn: 'own-3' }), ALICE));
  refused(
    await here().create(streamProxy('a', { credentials: own(25) }), ALICE),
    /Cannot use 25 different Secrets .* at most 24/,
  );
  refused(
    await here().create(streamProxy('a', { credentials: own(25) })),
    /Put several keys into one Secret, or split the StreamProxy/,
  );
});

test(
  'who may not get the Secrets may change labels, and no spec, of a StreamProxy that names them',
  options,
  async () => {
    allowed(await here().store(streamProxy('kept', { credentials: ['stolen'] })));
    const patch = (json: object) =>
      here().kubectl.try([
        '-n',
        namespace,
        'patch',
        'streamproxy',
        'kept',
        '--type=merge',
        `--as=${ALICE}`,
        '-p',
        JSON.stringify(json),
      ]);
    allowed(await patch({ metadata: { labels: { team: 'a' } } }));
    refused(
      await patch({
        spec: {
          upstreams: [
            { ...streamProxy('kept', { credentials: ['stolen'] }).spec.upstreams[0], url: 'https://evil.example' },
          ],
        },
      }),
      /"stolen"/,
    );
    allowed(await patch({ spec: { upstreams: streamProxy('kept', { credentials: own(1) }).spec.upstreams } }));
  },
);
