/** Promise: the provider's key stays in the platform's namespace; an annotated pod elsewhere streams through its sidecar and the gateway, with its service account's token and nothing else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Installed, installed, SYSTEM_NAMESPACE } from '../support/cluster/installed.ts';
import { deployment, list, secret } from '../support/cluster/objects.ts';
import { type Scene, scene } from '../support/cluster/scene.ts';
import { answerOf, keysSeen, type SeenStream, stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

const PROVIDER_KEY = `sk-provider-${randomBytes(12).toString('hex')}`;
const CI_KEY = `gw-ci-${randomBytes(12).toString('hex')}`;

interface Seen {
  readonly id: string;
  readonly exchange: string;
  readonly hop: string;
  readonly end: string;
  readonly chained?: boolean;
  readonly caller?: { readonly client: string; readonly serviceAccount?: string; readonly pod?: string };
  readonly response?: { readonly body?: { readonly sha256: string } };
}

let ready: Installed;
let platform: Scene;
let apps: Scene;
let pod: string;

/** A certificate for the gateway's Service, as cert-manager would make it. */
function certificateFor(name: string): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cert-'));
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=gateway', '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pem = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  return pem;
}

const TARGETS = { logging: { targets: [{ name: 'stdout', stdout: {} }] } };

function gateway(url: string, clients: readonly object[], spec: object = {}): object {
  const credentials = [{ secret: { name: 'provider', key: 'key' } }];
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'shared' },
    spec: {
      gateway: {
        replicas: 2,
        tls: { secret: { name: 'gateway-tls' } },
        clients,
        resources: { requests: { cpu: '5m', memory: '48Mi' } },
        terminationGracePeriodSeconds: 30,
      },
      upstreams: [
        { name: 'claude', dialect: 'anthropic', url, credentials },
        { name: 'gpt', dialect: 'openai', url: `${url}/v1`, credentials },
      ],
      routes: [
        { name: 'messages', match: { paths: ['/v1/messages*'] }, upstreams: [{ name: 'claude' }] },
        { name: 'chat', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'gpt' }] },
      ],
      ...TARGETS,
      ...spec,
    },
  };
}

function client(url: string): object {
  const shared = {
    gateway: {},
    credentials: [{ serviceAccountToken: {} }],
    tls: { ca: { secret: { name: 'gateway-ca', key: 'ca.crt' } } },
  };
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'llm' },
    spec: {
      upstreams: [
        { name: 'claude', dialect: 'anthropic', url, ...shared },
        { name: 'gpt', dialect: 'openai', url: `${url}/v1`, ...shared },
      ],
      routes: [
        { name: 'messages', match: { paths: ['/v1/messages*'] }, upstreams: [{ name: 'claude' }] },
        { name: 'chat', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'gpt' }] },
      ],
      ...TARGETS,
    },
  };
}

const clientsOf = (namespace: string) => [
  { name: 'apps', serviceAccount: { namespace, name: 'default' } },
  { name: 'ci', secret: { name: 'client-keys', key: 'ci' } },
];

before(async () => {
  ready = await installed();
  [platform, apps] = await Promise.all([scene(ready, 'platform'), scene(ready, 'apps')]);
  const host = `sluice-shared.${platform.namespace}.svc`;
  const pem = certificateFor(host);
  await platform.apply(
    list(
      secret('provider', { key: PROVIDER_KEY }),
      secret('client-keys', { ci: CI_KEY }),
      { ...secret('gateway-tls', { 'tls.crt': pem.cert, 'tls.key': pem.key }), type: 'kubernetes.io/tls' },
      gateway(platform.upstreamUrl, clientsOf(apps.namespace)),
    ),
  );
  await apps.apply(list(secret('gateway-ca', { 'ca.crt': pem.cert }), client(`https://${host}`)));
  await platform.condition('shared', 'Programmed', 'True', 90_000);
  await apps.condition('llm', 'Programmed', 'True');
  const app = { image: ready.testImage, args: ['client', 'idle'], terminationGracePeriodSeconds: 5 };
  await apps.apply(list(deployment({ ...app, name: 'agent', inject: 'llm' }), deployment({ ...app, name: 'plain' })));
  pod = await apps.podOf('agent');
});

after(async () => {
  await Promise.all([platform?.end(), apps?.end()]);
});

async function recordsOf(namespace: string, selector: string, container: string): Promise<Seen[]> {
  const args = ['-n', namespace, 'logs', '-l', selector, '-c', container, '--tail=-1'];
  const text = await ready.kubectl.do(args);
  const lines = text.split('\n').filter((line) => line.startsWith('{"version"'));
  return lines.map((line) => JSON.parse(line) as Seen);
}

/** The records of one answer at both hops: they have the digest of its bytes. */
async function bothHops({ sha256 }: SeenStream): Promise<{ sidecar: Seen; gateway: Seen }> {
  const isIt = (record: Seen): boolean => record.response?.body?.sha256 === sha256;
  return until('the records of both hops', async () => {
    const sidecar = (await recordsOf(apps.namespace, 'app=agent', 'sluice')).find(isIt);
    const all = await recordsOf(platform.namespace, 'sluice.dev/proxy=shared', 'sluice');
    const shared = all.find((record) => isIt(record) && record.exchange === sidecar?.exchange);
    return sidecar && shared ? { sidecar, gateway: shared } : undefined;
  });
}

for (const sdk of ['anthropic', 'openai'] as const) {
  test(`the official ${sdk} SDK streams through sidecar and gateway: every byte, one exchange id, the provider's key only at the end`, async () => {
    const gate = `gate-${sdk}`;
    const release = `${platform.upstreamUrl}/control/release/${gate}`;
    const model = `scripted?hold=2&gate=${gate}`;
    const [seen] = await stream(apps, pod, ['--sdk', sdk, '--model', model, '--release-url', release]);
    assert.ok(seen);
    const answer = await answerOf(platform, await platformPod(), seen.answerId);
    assert.deepEqual([seen.sha256, seen.bytes], [answer.sha256, answer.bytes]);
    const keys = await keysSeen(platform, await platformPod(), seen.answerId);
    const expected = sdk === 'anthropic' ? { 'x-api-key': PROVIDER_KEY } : { authorization: `Bearer ${PROVIDER_KEY}` };
    assert.deepEqual(keys, expected);
    const hops = await bothHops(seen);
    assert.equal(hops.sidecar.exchange, hops.sidecar.id);
    assert.equal(hops.gateway.exchange, hops.sidecar.id);
    assert.notEqual(hops.gateway.id, hops.sidecar.id);
    assert.deepEqual([hops.sidecar.hop, hops.sidecar.chained], ['sidecar', true]);
    assert.deepEqual([hops.gateway.hop, hops.gateway.chained], ['gateway', undefined]);
    assert.deepEqual(hops.gateway.caller, { client: 'apps', serviceAccount: `${apps.namespace}/default`, pod });
  });
}

/** The test application in the platform's namespace, for the scripted upstream's control API. */
async function platformPod(): Promise<string> {
  const image = ready.testImage;
  await platform.apply(
    list(deployment({ image, name: 'ops', args: ['client', 'idle'], terminationGracePeriodSeconds: 5 })),
  );
  return platform.podOf('ops');
}

test("the provider's key is nowhere in the applications' namespace", async () => {
  const kinds = 'pods,secrets,configmaps,streamproxies,sidecarprofiles,events';
  const objects = await ready.kubectl.do(['-n', apps.namespace, 'get', kinds, '-o', 'json']);
  const logs = await ready.kubectl.do(['-n', apps.namespace, 'logs', pod, '-c', 'sluice']);
  assert.ok(objects.includes('sluice-llm'));
  for (const form of [PROVIDER_KEY, Buffer.from(PROVIDER_KEY).toString('base64').replace(/=+$/, '')]) {
    assert.ok(!objects.includes(form) && !logs.includes(form), 'the key is there');
  }
});

test('the sidecar has a token for gateways alone, and the application container has none of it', async () => {
  interface Pod {
    spec: { initContainers: Container[]; containers: Container[] };
  }
  interface Container {
    name: string;
    volumeMounts?: { name: string; mountPath: string }[];
  }
  const { spec } = await ready.kubectl.get<Pod>(['-n', apps.namespace, 'pod', pod]);
  const mounts = (container: Container | undefined): string[] => container?.volumeMounts?.map(({ name }) => name) ?? [];
  assert.ok(mounts(spec.initContainers[0]).includes('sluice-gateway-token'));
  assert.ok(!mounts(spec.containers[0]).includes('sluice-gateway-token'));
});

test('a plain pod uses the gateway with a key of its own; without one, or with the API token, it gets 401', async () => {
  const plain = await apps.podOf('plain');
  const url = `https://sluice-shared.${platform.namespace}.svc/v1/messages`;
  const script = `
    const { readFileSync } = await import('node:fs');
    const token = readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
    const ask = async (headers) => (await fetch(${JSON.stringify(url)}, { method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...headers },
      body: JSON.stringify({ model: 'scripted', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] }) })).status;
    console.log(JSON.stringify([await ask({ 'x-api-key': process.argv[1] }), await ask({}), await ask({ authorization: 'Bearer ' + token })]));`;
  const node = ['/usr/local/bin/node', '--input-type=module', '-e', script, '--', CI_KEY];
  const env = ['/usr/local/bin/node', '-e', ENV_SHIM, 'NODE_TLS_REJECT_UNAUTHORIZED=0', ...node];
  assert.deepEqual(JSON.parse(await apps.exec(plain, env)), [200, 401, 401]);
});

/** The image has no shell to set a variable with. */
const ENV_SHIM = `
  const [pair, program, ...args] = process.argv.slice(1);
  const [name, value] = pair.split('=');
  const { status } = require('node:child_process').spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, [name]: value, NODE_NO_WARNINGS: '1' } });
  process.exit(status ?? 1);`;

test('the status counts the gateway pods and names the url, and a change reaches each pod without a restart', async () => {
  const before = await platform.condition('shared', 'Programmed', 'True');
  assert.deepEqual(before.pods, { injected: 2, current: 2, stale: 0, unreachable: 0 });
  const url = (before as { gateway?: { url: string } }).gateway?.url;
  assert.equal(url, `https://sluice-shared.${platform.namespace}.svc`);
  const names = await gatewayPods();
  await platform.apply(
    list(gateway(platform.upstreamUrl, [{ name: 'ci', secret: { name: 'client-keys', key: 'ci' } }])),
  );
  const changed = await until('the new revision in both pods', async () => {
    const status = await platform.condition('shared', 'Programmed', 'True');
    return status.revision !== before.revision && status.pods?.current === 2 ? status : undefined;
  });
  assert.notEqual(changed.revision, before.revision);
  await assert.rejects(stream(apps, pod), /403|Add service account/);
  await platform.apply(list(gateway(platform.upstreamUrl, clientsOf(apps.namespace))));
  await until('the pod to be let in again', async () => ((await stream(apps, pod)).length === 1 ? true : undefined));
  assert.deepEqual(await gatewayPods(), names);
});

async function gatewayPods(): Promise<string[]> {
  const selector = 'sluice.dev/proxy=shared,app.kubernetes.io/component=gateway';
  const text = await ready.kubectl.do(['-n', platform.namespace, 'get', 'pods', '-l', selector, '-o', 'name']);
  return text.trim().split('\n').sort();
}

test('the gateway holds no API token, runs under Pod Security restricted, and may lose one pod at a time', async () => {
  interface Found {
    spec: { automountServiceAccountToken: boolean; volumes: { name: string }[] };
  }
  const [name = ''] = await gatewayPods();
  const { spec } = await ready.kubectl.get<Found>(['-n', platform.namespace, name]);
  assert.equal(spec.automountServiceAccountToken, false);
  assert.deepEqual(spec.volumes.map((volume) => volume.name).sort(), ['sluice-config', 'sluice-state']);
  interface Budget {
    spec: { maxUnavailable: number };
    status: { expectedPods: number };
  }
  const budget = await ready.kubectl.get<Budget>(['-n', platform.namespace, 'poddisruptionbudget', 'sluice-shared']);
  assert.equal(budget.spec.maxUnavailable, 1);
  assert.equal(budget.status.expectedPods, 2);
});

test('a rollout of the gateway cuts no stream and refuses no request', async () => {
  const restart = ready.kubectl.do([
    '-n',
    platform.namespace,
    'delete',
    'pod',
    '-l',
    'sluice.dev/proxy=shared',
    '--wait=false',
  ]);
  const long = stream(apps, pod, ['--model', 'scripted', '--count', '40']);
  await restart;
  assert.equal((await long).length, 40);
  await platform.condition('shared', 'Programmed', 'True', 90_000);
});

test('a Deployment that somebody changed by hand, or deleted, is put right', async () => {
  const name = ['-n', platform.namespace, 'deployment', 'sluice-shared'];
  await ready.kubectl.do(['-n', platform.namespace, 'scale', 'deployment', 'sluice-shared', '--replicas=1']);
  const replicas = async () => (await ready.kubectl.get<{ spec: { replicas: number } }>(name)).spec.replicas;
  await until('two replicas again', async () => ((await replicas()) === 2 ? true : undefined));
  await ready.kubectl.do(['-n', platform.namespace, 'delete', 'service', 'sluice-shared']);
  await until('the Service to be there again', async () => {
    const found = await ready.kubectl.try(['-n', platform.namespace, 'get', 'service', 'sluice-shared']);
    return found.code === 0 ? true : undefined;
  });
  await until('it to serve again', async () => ((await stream(apps, pod)).length === 1 ? true : undefined));
});

test('with the operator gone sidecar and gateway go on serving', async () => {
  const operator = ['-n', SYSTEM_NAMESPACE, 'scale', 'deployment', '-l', 'app.kubernetes.io/name=sluice'];
  await ready.kubectl.do([...operator, '--replicas=0']);
  try {
    const selector = ['-n', SYSTEM_NAMESPACE, 'wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/name=sluice'];
    await ready.kubectl.do([...selector, '--timeout=60s']);
    assert.equal((await stream(apps, pod, ['--count', '3'])).length, 3);
  } finally {
    await ready.kubectl.do([...operator, '--replicas=1']);
    const deployed = ['-n', SYSTEM_NAMESPACE, 'rollout', 'status', 'deployment', '-l', 'app.kubernetes.io/name=sluice'];
    await ready.kubectl.do([...deployed, '--timeout=90s']);
  }
});

test('a StreamProxy that is a gateway no longer loses its Deployment, Service and budget', async () => {
  const plain = gateway(platform.upstreamUrl, []) as { spec: { gateway?: unknown } };
  const { gateway: _gateway, ...spec } = plain.spec;
  await platform.apply(list({ ...plain, spec }));
  await until('the objects to go', async () => {
    const kinds = 'deployment/sluice-shared,service/sluice-shared,poddisruptionbudget/sluice-shared';
    const found = await ready.kubectl.try(['-n', platform.namespace, 'get', ...kinds.split(','), '--ignore-not-found']);
    return found.stdout.trim() === '' ? true : undefined;
  });
  const status = await platform.condition('shared', 'Programmed', 'True');
  assert.equal((status as { gateway?: unknown }).gateway, undefined);
  await ready.kubectl.do(['-n', platform.namespace, 'get', 'sidecarprofile', 'shared']);
});
