import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { type Gateway, gatewayObjects, gatewayUrl } from './objects.ts';

const SETTINGS = {
  image: 'example.org/sluice:1.0.0',
  imagePullPolicy: 'IfNotPresent',
  resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
} as const;

function resource(gateway: Gateway): StreamProxy {
  return {
    metadata: { name: 'shared', namespace: 'platform', uid: 'u1' },
    spec: {
      gateway,
      upstreams: [
        {
          name: 'up',
          dialect: 'raw',
          url: 'https://other.example',
          gateway: {},
          credentials: [{ serviceAccountToken: {} }],
        },
      ],
      routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
    },
  };
}

const CLIENTS = [{ name: 'apps', serviceAccount: { namespace: 'apps' } }];

interface Deployment {
  spec: {
    replicas: number;
    template: {
      metadata: { labels: Record<string, string>; annotations?: unknown };
      spec: {
        terminationGracePeriodSeconds: number;
        automountServiceAccountToken: boolean;
        volumes: { name: string }[];
        containers: {
          restartPolicy?: string;
          resources: unknown;
          env: { name: string; value?: string; valueFrom?: unknown }[];
          ports: { name: string; containerPort: number }[];
          volumeMounts: { name: string }[];
          securityContext: Record<string, unknown>;
        }[];
      };
    };
  };
}

function deploymentOf(gateway: Gateway): Deployment {
  const found = gatewayObjects(SETTINGS, resource(gateway), gateway).find(({ kind }) => kind.kind === 'Deployment');
  return found?.object as unknown as Deployment;
}

test('gatewayUrl() is what an upstream of another namespace names', () => {
  const tls = { secret: { name: 'cert' } };
  assert.equal(gatewayUrl(resource({ clients: CLIENTS, tls })), 'https://sluice-shared.platform.svc');
  assert.equal(gatewayUrl(resource({ clients: CLIENTS, plaintext: {} })), 'http://sluice-shared.platform.svc');
  assert.equal(gatewayUrl(resource({ clients: CLIENTS, tls, port: 8443 })), 'https://sluice-shared.platform.svc:8443');
});

test('gatewayObjects() belong to the resource and lead to the same pods', () => {
  const gateway = { clients: CLIENTS, plaintext: {} };
  const objects = gatewayObjects(SETTINGS, resource(gateway), gateway);
  assert.deepEqual(
    objects.map(({ kind, object }) => [kind.kind, object.metadata.name]),
    [
      ['PodDisruptionBudget', 'sluice-shared'],
      ['Service', 'sluice-shared'],
      ['Deployment', 'sluice-shared'],
    ],
  );
  const selector = { 'sluice.dev/proxy': 'shared', 'app.kubernetes.io/component': 'gateway' };
  const [budget, service] = objects.map(({ object }) => object['spec'] as { selector: unknown });
  assert.deepEqual(budget?.selector, { matchLabels: selector });
  assert.deepEqual(service?.selector, selector);
  for (const { object } of objects) {
    assert.equal((object.metadata['ownerReferences'] as { uid: string }[])[0]?.uid, 'u1');
  }
  const { labels, annotations } = deploymentOf(gateway).spec.template.metadata;
  for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value);
  assert.equal(annotations, undefined, 'a change of the config would be a rollout');
});

test('gatewayObjects() harden the pod as the sidecar is, give it no token of any kind, and tell it that it is a gateway', () => {
  const gateway = { clients: CLIENTS, tls: { secret: { name: 'cert' } }, terminationGracePeriodSeconds: 60 };
  const { spec } = deploymentOf(gateway).spec.template;
  assert.equal(spec.automountServiceAccountToken, false);
  assert.deepEqual(
    spec.volumes.map(({ name }) => name),
    ['sluice-config', 'sluice-state'],
  );
  const [container] = spec.containers;
  assert.deepEqual(
    container?.volumeMounts.map(({ name }) => name),
    ['sluice-config', 'sluice-state'],
  );
  assert.equal(container?.restartPolicy, undefined);
  const { readOnlyRootFilesystem, runAsNonRoot, allowPrivilegeEscalation } = container?.securityContext ?? {};
  assert.deepEqual([readOnlyRootFilesystem, runAsNonRoot, allowPrivilegeEscalation], [true, true, false]);
  const env = Object.fromEntries(container?.env.map(({ name, value }) => [name, value]) ?? []);
  assert.equal(env['SLUICE_GATEWAY'], 'tls');
  const grace = Number(env['SLUICE_LINGER_MS']) + Number(env['SLUICE_DRAIN_TIMEOUT_MS']);
  assert.ok(grace < 60_000 && grace > 40_000, `${grace} of 60000 ms`);
  assert.deepEqual(
    container?.ports.map(({ name, containerPort }) => [name, containerPort]),
    [
      ['gateway', 8019],
      ['sluice-metrics', 9019],
    ],
  );
});

test('gatewayObjects() take resources and replicas from the resource, over those of sidecars', () => {
  const resources = { requests: { cpu: '1' }, limits: { memory: '1Gi' } };
  const gateway = { clients: CLIENTS, plaintext: {}, replicas: 5, resources };
  const { replicas, template } = deploymentOf(gateway).spec;
  assert.equal(replicas, 5);
  const expected = { requests: { cpu: '1', memory: '96Mi' }, limits: { memory: '1Gi' } };
  assert.deepEqual(template.spec.containers[0]?.resources, expected);
});
