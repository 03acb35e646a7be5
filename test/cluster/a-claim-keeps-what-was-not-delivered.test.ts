/** Promise: with a stateVolume on a claim, what a pod had not delivered is delivered by the next pod that mounts it, and is counted as lost nowhere. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { list, podTemplate } from '../support/cluster/objects.ts';
import { type RemainderView, remainderView } from '../support/cluster/remainder.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { CLIENT, stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

/** A log target: takes NDJSON, and tells the ids that it has. */
const STORE = `
  const ids = new Set();
  require('node:http').createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    for (const line of text.split('\\n').filter(Boolean)) ids.add(JSON.parse(line).id);
    response.end(JSON.stringify([...ids]));
  }).listen(8080);`;

let ready: Installed;
let stage: Scene;
let view: RemainderView;
let folder: string;
let storeUrl: string;

const inNamespace = (...args: string[]): string[] => ['-n', stage.namespace, ...args];

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'kept');
  view = remainderView(ready, stage, 'llm');
  folder = await mkdtemp(join(tmpdir(), 'sluice-claim-'));
  await chmod(folder, 0o777);
  storeUrl = `http://store.${stage.namespace}.svc:8080/records`;
  const spec = {
    sidecar: { stateVolume: { name: 'records', subPath: 'sluice' } },
    logging: { targets: [{ name: 'store', http: { url: storeUrl } }] },
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'store' },
    spec: { selector: { app: 'store' }, ports: [{ port: 8080 }] },
  };
  await stage.apply(list(...(await claim()), service, streamProxy('llm', stage.upstreamUrl, spec)));
  await stage.condition('llm', 'Programmed', 'True');
});

after(async () => {
  await stage?.end();
  await ready?.kubectl.try(['delete', 'persistentvolume', stage.namespace, '--wait=false']);
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Our own cluster provides no volumes: there it is a folder of this machine. */
async function claim(): Promise<object[]> {
  const size = { storage: '100Mi' };
  const common = { accessModes: ['ReadWriteOnce'] };
  const of = (spec: object): object => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'records' },
    spec: { ...common, resources: { requests: size }, ...spec },
  });
  if (!ready.cluster.own) return [of({})];
  const { items } = await ready.kubectl.get<{ items: { metadata: { labels: Record<string, string> } }[] }>(['nodes']);
  const values = items.map(({ metadata }) => metadata.labels['kubernetes.io/hostname']);
  const terms = [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }];
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: stage.namespace },
    spec: {
      ...common,
      capacity: size,
      storageClassName: '',
      persistentVolumeReclaimPolicy: 'Retain',
      local: { path: folder },
      nodeAffinity: { required: { nodeSelectorTerms: terms } },
    },
  };
  return [volume, of({ storageClassName: '', volumeName: stage.namespace })];
}

async function startPod(
  name: string,
  more: { inject?: string; command?: string[]; volumes?: object[] },
): Promise<void> {
  const { inject, command, volumes = [] } = more;
  const args = command ? [] : ['client', 'idle'];
  const { metadata, spec } = podTemplate({ name, image: ready.testImage, args, ...(inject && { inject }) }) as {
    metadata: object;
    spec: { containers: object[] };
  };
  const containers = spec.containers.map((container) => ({ ...container, ...(command && { command }) }));
  const whole = { ...spec, containers, volumes, securityContext: { fsGroup: 2000 } };
  await stage.apply(list({ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec: whole }));
  await stage.podOf(name);
}

/** As a StatefulSet does it: always the same name, always the same claim. */
const startKeeper = (): Promise<void> =>
  startPod('keeper-0', {
    inject: 'llm',
    volumes: [{ name: 'records', persistentVolumeClaim: { claimName: 'records' } }],
  });

test('a pod that is deleted leaves its records on the claim: an event says so, and none is counted as lost', async () => {
  await startKeeper();
  assert.equal((await stream(stage, 'keeper-0', ['--count', '4'])).length, 4);
  await ready.kubectl.do(inNamespace('delete', 'pod', 'keeper-0'));
  const event = await view.eventOf('keeper-0', 'RecordsKept');
  assert.equal(event.type, 'Normal');
  assert.match(event.note, /: 4 for log target "store"; they stay on claim "records"/);
  assert.deepEqual(await view.counted(), { store: 0 });
});

test('the next start of the pod delivers what the one before left', async () => {
  await startPod('store', { command: ['/usr/local/bin/node', '-e', STORE] });
  await startKeeper();
  const stored = async (): Promise<string[]> =>
    JSON.parse(await stage.exec('keeper-0', [...CLIENT, 'fetch', '--url', storeUrl])) as string[];
  await until('the records', async () => ((await stored()).length >= 4 ? true : undefined));
  assert.equal((await stored()).length, 4);
  await ready.kubectl.do(inNamespace('delete', 'pod', 'keeper-0'));
  assert.equal((await view.events('RecordsLeftBehind')).length, 0);
});
