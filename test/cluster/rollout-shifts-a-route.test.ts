/** Promise: one command shifts a route from blue to green and back; what is in flight finishes where it began. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { run } from '../support/cluster/kubectl.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Scene, scene } from '../support/cluster/scene.ts';
import { stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/rollout.ts');

let ready: Installed;
let stage: Scene;
let pod: string;

function resource(url: string): object {
  const upstream = (name: string) => ({ name, dialect: 'anthropic', url, credentials: [{ client: {} }] });
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'llm' },
    spec: {
      upstreams: [upstream('blue'), upstream('green')],
      routes: [
        { name: 'other', match: { paths: ['/other'] }, upstreams: [{ name: 'blue' }] },
        {
          name: 'everything',
          upstreams: [
            { name: 'blue', weight: 100 },
            { name: 'green', weight: 0 },
          ],
        },
      ],
      logging: { targets: [{ name: 'stdout', stdout: {} }] },
    },
  };
}

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'rollout');
  await stage.apply(list(resource(stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
  const app = { image: ready.testImage, args: ['client', 'idle'], terminationGracePeriodSeconds: 5 };
  await stage.apply(list(deployment({ ...app, name: 'agent', inject: 'llm' })));
  pod = await stage.podOf('agent');
});

after(() => stage?.end());

function rollout(...args: string[]) {
  const { kubectl, kubeconfig } = ready.cluster;
  const where = ['-n', stage.namespace, '--kubectl', kubectl];
  return run(['env', `KUBECONFIG=${kubeconfig}`, process.execPath, SCRIPT, 'llm', ...where, ...args]);
}

/** Upstreams of the records, in the order in which the exchanges ended. */
async function upstreams(count: number): Promise<(string | undefined)[]> {
  return until(`${count} records`, async () => {
    const text = await ready.kubectl.do(['-n', stage.namespace, 'logs', pod, '-c', 'sluice']);
    const lines = text.split('\n').filter((line) => line.startsWith('{"version"'));
    if (lines.length < count) return undefined;
    return lines
      .map((line) => JSON.parse(line) as { upstream?: string; end: string })
      .map((record) => {
        assert.equal(record.end, 'complete');
        return record.upstream;
      });
  });
}

test('a route goes from blue to green and back by one command each, and a stream in flight stays where it is', async () => {
  const release = `${stage.upstreamUrl}/control/release/shift`;
  const held = stream(stage, pod, ['--model', 'scripted?hold=2&gate=shift']);
  await until('the stream to begin', async () => {
    const text = await stage.exec(pod, [
      '/usr/local/bin/node',
      '/app/main.mjs',
      'client',
      'fetch',
      '--url',
      `${stage.upstreamUrl}/control/requests`,
    ]);
    return (JSON.parse(text) as unknown[]).length > 0 ? true : undefined;
  });
  const shift = await rollout('--route', 'everything', '--to', 'green=100');
  assert.equal(shift.code, 0, shift.stderr);
  assert.match(
    shift.stdout,
    /Route "everything": blue=100 green=0 -> blue=0 green=100\nRevision \S+ runs in 1 of 1 pods/,
  );
  await stream(stage, pod, ['--count', '3']);
  assert.deepEqual(await upstreams(3), ['green', 'green', 'green']);
  await stage.exec(pod, [
    '/usr/local/bin/node',
    '/app/main.mjs',
    'client',
    'fetch',
    '--method',
    'POST',
    '--url',
    release,
  ]);
  assert.equal((await held).length, 1);
  assert.equal((await upstreams(4))[3], 'blue');
  const back = await rollout('--route', 'everything', '--to', 'blue=100');
  assert.equal(back.code, 0, back.stderr);
  await stream(stage, pod);
  assert.equal((await upstreams(5))[4], 'blue');
});

test('a route or an upstream that is not there is refused, and nothing is changed', async () => {
  const generation = async () =>
    (await ready.kubectl.get<{ metadata: { generation: number } }>(['-n', stage.namespace, 'streamproxy', 'llm']))
      .metadata;
  const before = (await generation()).generation;
  const route = await rollout('--route', 'nothing', '--to', 'green=100');
  assert.deepEqual([route.code, /use one of "other", "everything"/.test(route.stderr)], [2, true]);
  const upstream = await rollout('--route', 'everything', '--to', 'grene=100');
  assert.deepEqual([upstream.code, /"grene" is no entry of spec.upstreams/.test(upstream.stderr)], [2, true]);
  assert.equal((await generation()).generation, before);
});

test('the patch of docs/rollout.md does the same with kubectl alone', async () => {
  const operations = [
    { op: 'test', path: '/spec/routes/1/name', value: 'everything' },
    { op: 'test', path: '/spec/routes/1/upstreams/1/name', value: 'green' },
    { op: 'replace', path: '/spec/routes/1/upstreams/0/weight', value: 0 },
    { op: 'replace', path: '/spec/routes/1/upstreams/1/weight', value: 100 },
  ];
  const patch = (ops: readonly object[]) =>
    ready.kubectl.try(['-n', stage.namespace, 'patch', 'streamproxy', 'llm', '--type=json', '-p', JSON.stringify(ops)]);
  const wrong = await patch([{ op: 'test', path: '/spec/routes/1/name', value: 'other' }, ...operations.slice(1)]);
  assert.notEqual(wrong.code, 0, 'a patch for another route was taken');
  assert.equal((await patch(operations)).code, 0);
  await ready.kubectl.do([
    '-n',
    stage.namespace,
    'wait',
    'streamproxy',
    'llm',
    '--for=condition=Programmed',
    '--timeout=30s',
  ]);
  await stage.condition('llm', 'Programmed', 'True');
  await stream(stage, pod);
  assert.equal((await upstreams(6))[5], 'green');
});
