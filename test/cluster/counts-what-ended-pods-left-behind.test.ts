/** Promise: what a pod had not delivered when it ended for good is an event on its StreamProxy and a count of the operator's, exactly and once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Installed, installed, SYSTEM_NAMESPACE } from '../support/cluster/installed.ts';
import { job, list, podTemplate } from '../support/cluster/objects.ts';
import { type RemainderView, remainderView } from '../support/cluster/remainder.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

/** Deliveries get 3 s at the end and closing 2 s; the kubelet tells times in whole seconds. */
const MOST_HELD_MS = 7_000;
const LOST = 'RecordsLeftBehind';
const NODE = '/usr/local/bin/node';
/** An application that does not stop when it is told to. */
const STUBBORN = [NODE, '-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'];

interface Status {
  restartCount: number;
  state: { running?: object; terminated?: { finishedAt: string; exitCode: number } };
}

interface PodObject {
  metadata: { name: string; uid: string };
  status: { phase: string; containerStatuses?: Status[]; initContainerStatuses?: Status[] };
}

let ready: Installed;
let stage: Scene;
let view: RemainderView;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'left');
  view = remainderView(ready, stage, 'llm');
  const targets = [
    { name: 'stdout', stdout: {} },
    { name: 'store', http: { url: `http://store.${stage.namespace}.svc:8080/records` } },
  ];
  // A Service that nobody stands behind: the target is down.
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'store' },
    spec: { selector: { app: 'store' }, ports: [{ port: 8080 }] },
  };
  await stage.apply(list(service, streamProxy('llm', stage.upstreamUrl, { logging: { targets } })));
  await stage.condition('llm', 'Programmed', 'True');
});

after(() => stage?.end());

const inNamespace = (...args: string[]): string[] => ['-n', stage.namespace, ...args];

async function startPod(name: string, options: { command?: string[]; graceSeconds?: number } = {}): Promise<void> {
  const { command, graceSeconds: terminationGracePeriodSeconds = 30 } = options;
  const { metadata, spec } = podTemplate({
    name,
    image: ready.testImage,
    inject: 'llm',
    args: command === undefined ? ['client', 'idle'] : [],
    terminationGracePeriodSeconds,
  }) as { metadata: object; spec: { containers: object[] } };
  const containers = spec.containers.map((container) => ({ ...container, ...(command && { command }) }));
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name }, spec: { ...spec, containers } };
  await stage.apply(list(pod));
  await stage.podOf(name);
}

/** @returns the number of answers that the application had */
async function say(pod: string, count: number): Promise<number> {
  return (await stream(stage, pod, ['--count', String(count)])).length;
}

const podNamed = (name: string): Promise<PodObject> => ready.kubectl.get<PodObject>(inNamespace('pod', name));

async function restartSidecar(pod: string): Promise<void> {
  // The command's own end comes with that of its container.
  await stage.exec(pod, [NODE, '-e', 'process.kill(1, "SIGTERM")'], 'sluice').catch(() => '');
  await until('the sidecar to be back', async () => {
    const own = (await podNamed(pod)).status.initContainerStatuses?.[0];
    return own?.restartCount === 1 && own.state.running ? true : undefined;
  });
  await stage.podOf(pod);
}

/** @returns its pod, once ended, and the number of answers that its program had */
async function runJob(name: string, count: number): Promise<{ readonly pod: PodObject; readonly answers: number }> {
  const args = ['client', 'stream', '--count', String(count)];
  await stage.apply(list(job({ name, image: ready.testImage, inject: 'llm', args })));
  const pod = await until(`the pod of Job ${name} to end`, async () => {
    const { items } = await ready.kubectl.get<{ items: PodObject[] }>(inNamespace('pods', '-l', `app=${name}`));
    return items.find(({ status }) => status.phase === 'Succeeded');
  });
  const output = await ready.kubectl.do(inNamespace('logs', pod.metadata.name, '-c', 'app'));
  return { pod, answers: output.split('\n').filter((line) => line.startsWith('{')).length };
}

async function untilCounted(store: number): Promise<void> {
  await until(`${store} records to be counted`, async () =>
    (await view.counted())['store'] === store ? true : undefined,
  );
  assert.deepEqual(await view.counted(), { stdout: 0, store });
}

test('the series of a target is there at 0 before anything is lost', () => untilCounted(0));

test('a pod that is deleted while its target is down is counted, and the restart of its sidecar before is not', async () => {
  await startPod('agent');
  const first = await say('agent', 2);
  await restartSidecar('agent');
  const all = first + (await say('agent', 3));
  const { metadata } = await podNamed('agent');
  await ready.kubectl.do(inNamespace('delete', 'pod', 'agent'));

  const event = await view.eventOf('agent', LOST);
  assert.equal(all, 5);
  assert.equal(event.type, 'Warning');
  assert.equal(event.related?.uid, metadata.uid);
  assert.match(event.note, /^Pod "agent" ended before its records were delivered: 5 for log target "store"; /);
  assert.match(event.note, /spec\.sidecar\.stateVolume/);
  await untilCounted(5);
});

test('a Job whose target is down ends within its bound, and is counted', async (t) => {
  const { pod, answers } = await runJob('batch', 3);
  const endOf = (status: Status | undefined): number => Date.parse(status?.state.terminated?.finishedAt ?? '');
  const held = endOf(pod.status.initContainerStatuses?.[0]) - endOf(pod.status.containerStatuses?.[0]);
  t.diagnostic(`the sidecar ended ${held} ms after the main container`);
  assert.ok(held <= MOST_HELD_MS, `the sidecar ended ${held} ms after the main container`);
  assert.equal(answers, 3);
  assert.match((await view.eventOf(pod.metadata.name, LOST)).note, /: 3 for log target "store"; /);
  await untilCounted(8);
});

test('a sidecar that is killed, as the application used up the grace, has said what waited', async () => {
  await startPod('stubborn', { command: STUBBORN, graceSeconds: 2 });
  assert.equal(await say('stubborn', 2), 2);
  await ready.kubectl.do(inNamespace('delete', 'pod', 'stubborn'));
  const { note } = await view.eventOf('stubborn', LOST);
  assert.match(note, /: 2 for log target "store"; .*before its sidecar was killed.*terminationGracePeriodSeconds/);
  await untilCounted(10);
});

test('a new operator counts no pod again', async () => {
  await ready.kubectl.do(['-n', SYSTEM_NAMESPACE, 'delete', 'pod', '-l', 'app.kubernetes.io/name=sluice']);
  await ready.kubectl.do(['-n', SYSTEM_NAMESPACE, 'rollout', 'status', 'deployment', '--timeout=120s']);
  const { pod, answers } = await runJob('second', 1);
  await view.eventOf(pod.metadata.name, LOST);
  // The pod of the Job before is still there, and was seen first.
  assert.equal(answers, 1);
  await untilCounted(1);
  assert.equal((await view.events(LOST)).length, 4);
});
