/** Promise: in a restricted, limited namespace everything works; the sidecar has no API token; a Job is not held up by it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, job, list } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { until } from '../support/cluster/wait.ts';

let ready: Installed;
let stage: Scene;

const LIMITS = {
  apiVersion: 'v1',
  kind: 'LimitRange',
  metadata: { name: 'limits' },
  spec: {
    limits: [
      {
        type: 'Container',
        default: { memory: '128Mi', cpu: '500m' },
        defaultRequest: { cpu: '10m', memory: '32Mi' },
        max: { memory: '1Gi', cpu: '2' },
      },
    ],
  },
};

const QUOTA = {
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'quota' },
  spec: {
    hard: { 'requests.cpu': '1', 'requests.memory': '2Gi', 'limits.memory': '4Gi', 'limits.cpu': '8', pods: '20' },
  },
};

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'restricted');
  await stage.apply(list(LIMITS, QUOTA, streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
});

after(() => stage?.end());

interface JobObject {
  status: { succeeded?: number; failed?: number };
}

interface PodObject {
  metadata: { name: string };
  status: { containerStatuses: Status[]; initContainerStatuses: Status[] };
}

interface Status {
  name: string;
  state: { terminated?: { finishedAt: string; exitCode: number } };
}

test('a Job with a sidecar completes within 5 s of its main container, its record delivered', async () => {
  await stage.apply(
    list(
      job({ name: 'batch', image: ready.testImage, inject: 'llm', args: ['client', 'stream', '--sdk', 'anthropic'] }),
    ),
  );
  await until('the Job to complete', async () => {
    const { status } = await ready.kubectl.get<JobObject>(['-n', stage.namespace, 'job', 'batch']);
    assert.equal(status.failed, undefined);
    return status.succeeded === 1 ? true : undefined;
  });
  const { items } = await ready.kubectl.get<{ items: PodObject[] }>(['-n', stage.namespace, 'pods', '-l', 'app=batch']);
  const [found] = items;
  assert.ok(found);
  const ended = (status: Status | undefined): number => Date.parse(status?.state.terminated?.finishedAt ?? '');
  const held = ended(found.status.initContainerStatuses[0]) - ended(found.status.containerStatuses[0]);
  assert.ok(held <= 5_000, `the sidecar ended ${held} ms after the main container`);
  const logs = await ready.kubectl.do(['-n', stage.namespace, 'logs', found.metadata.name, '-c', 'sluice']);
  assert.equal(logs.split('\n').filter((line) => line.includes('"end":"complete"')).length, 1);
});

test('the sidecar holds no API token and runs under Pod Security restricted', async () => {
  await stage.apply(
    list(deployment({ name: 'agent', image: ready.testImage, inject: 'llm', args: ['client', 'idle'] })),
  );
  const pod = await stage.podOf('agent');
  const script =
    "const {readdirSync}=require('node:fs');console.log(JSON.stringify([process.getuid(),readdirSync('/var/run/secrets/kubernetes.io/serviceaccount')]))";
  const own = await stage.exec(pod, ['/usr/local/bin/node', '-e', script], 'sluice');
  const [uid, files] = JSON.parse(own) as [number, string[]];
  assert.equal(uid, 64019);
  // What kubelet keeps in any projected volume begins with two dots.
  assert.deepEqual(
    files.filter((file) => !file.startsWith('..')),
    [],
  );
  const application = await stage.exec(pod, ['/usr/local/bin/node', '-e', script]);
  assert.ok(application.includes('token'), 'the application keeps its own token');
});
