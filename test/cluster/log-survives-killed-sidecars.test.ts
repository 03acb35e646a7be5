/**
 * Promise: whoever kills the sidecar, the kernel at its memory limit or somebody by SIGKILL, the pod's next container delivers what
 * waited, and records what was open as killed. The sets are compared outside: what the client sent, and what the target holds.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchanges, type SeenExchanges, startExchanges } from '../support/cluster/exchanges.ts';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { sidecarMetric, sidecarRestarted, sidecarStatus } from '../support/cluster/sidecar.ts';
import { downStore, type Store } from '../support/cluster/store.ts';
import { until } from '../support/cluster/wait.ts';

const MIB = 1024 ** 2;
const QUICK = 'scripted?words=20&delay=0';
/** Answers with its first events and falls silent, until somebody leaves. */
const SILENT = 'scripted?words=20&delay=0&hang=4';
const WAITING = '{target="store"}';
/** More than a sidecar at rest needs, and less than it needs with a few long bodies in flight. */
const SIDECAR_MEMORY = '128Mi';

let ready: Installed;
let stage: Scene;
let store: Store;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'killed');
});

after(async () => {
  await store?.end();
  await stage?.end();
});

/** A pod of its own whose records go to a target that is down. @returns its name */
async function podWith(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<string> {
  store = await downStore(ready);
  const logging = { capture: { maxBodyBytes: '16Mi' }, targets: [{ name: 'store', http: { url: store.url } }] };
  await stage.apply(list(streamProxy(name, stage.upstreamUrl, { logging, ...spec })));
  await stage.condition(name, 'Programmed', 'True');
  const options = { image: ready.testImage, args: ['client', 'idle'] };
  await stage.apply(list(deployment({ ...options, name, inject: name })));
  return stage.podOf(name);
}

const waiting = async (pod: string): Promise<number | undefined> =>
  (await sidecarMetric(ready.kubectl, stage, pod, 'sluice_log_spool_records'))[WAITING];

/** Starts the target, waits until it has a record of each number, and until nothing waits. */
async function delivered(pod: string, numbers: readonly number[]): Promise<ReturnType<Store['byNumber']>> {
  await store.up();
  await until('every record at the target', () => numbers.every((n) => store.byNumber().has(n)) || undefined, {
    timeoutMs: 90_000,
  }).catch(() => undefined);
  await until('an empty spool', async () => ((await waiting(pod)) === 0 ? true : undefined));
  return store.byNumber();
}

function endsOf(records: ReturnType<Store['byNumber']>, numbers: Iterable<number>): string[] {
  return [
    ...new Set([...numbers].map((n) => `${String(records.get(n)?.['end'])} ${String(records.get(n)?.['recovered'])}`)),
  ];
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
const sentBy = (...parts: readonly SeenExchanges[]): number[] => sorted(parts.flatMap(({ sent }) => sent));

test('the kernel kills the sidecar at its memory limit: the next container delivers every record, open exchanges as killed', async (t) => {
  const pod = await podWith('hog', { sidecar: { resources: { limits: { memory: SIDECAR_MEMORY } } } });
  const first = await exchanges(stage, pod, { from: 0, count: 200, lanes: 4, model: QUICK });
  assert.equal(first.whole.size, 200);

  // One after the other, each with its whole prompt in the sidecar's memory, until the kernel has enough of it.
  const options = { from: 1000, count: 40, promptBytes: 12 * MIB, model: SILENT, leaveOpen: true };
  const hog = startExchanges(ready.kubectl, stage, pod, options);
  await hog.ended();
  const after = await sidecarRestarted(ready.kubectl, stage, pod);
  assert.deepEqual([after.restartCount, after.lastState.terminated?.reason], [1, 'OOMKilled']);
  assert.ok(hog.seen.broken.size > 1 && hog.seen.broken.size < 40, `${hog.seen.broken.size} were open`);
  assert.equal(hog.seen.whole.size + hog.seen.open.size, 0);

  t.diagnostic(`the kernel killed it with ${hog.seen.broken.size} exchanges open`);
  const later = await exchanges(stage, pod, { from: 2000, count: 20, model: QUICK });
  assert.equal(later.whole.size, 20);
  const sent = sentBy(first, hog.seen, later);
  await until('every record in the spool', async () => ((await waiting(pod)) === sent.length ? true : undefined));
  const records = await delivered(pod, sent);
  assert.deepEqual(sorted(records.keys()), sent);
  assert.deepEqual(endsOf(records, [...first.whole, ...later.whole]), ['complete undefined']);
  assert.deepEqual(endsOf(records, hog.seen.broken), ['killed true']);
  await store.end();
});

test('the sidecar is killed by SIGKILL under load: the next container delivers every record, open exchanges as killed', async (t) => {
  const pod = await podWith('crash');
  const first = await exchanges(stage, pod, { from: 0, count: 200, lanes: 4, model: QUICK });
  assert.equal(first.whole.size, 200);
  const open = startExchanges(ready.kubectl, stage, pod, { from: 1000, count: 12, model: SILENT, leaveOpen: true });
  await open.until((seen) => seen.open.size === 12);
  const load = startExchanges(ready.kubectl, stage, pod, { from: 2000, count: 100_000, lanes: 8, model: QUICK });
  await load.until((seen) => seen.whole.size >= 100);

  const { containerID } = await sidecarStatus(ready.kubectl, stage, pod);
  await ready.cluster.killContainer(containerID.replace(/^.*:\/\//, ''));
  await Promise.all([open.ended(), load.ended()]);
  const after = await sidecarRestarted(ready.kubectl, stage, pod);
  assert.deepEqual([after.restartCount, after.lastState.terminated?.exitCode], [1, 137]);
  assert.deepEqual(open.seen.whole.size, 0);
  const later = await exchanges(stage, pod, { from: 200_000, count: 20, model: QUICK });

  const sent = sentBy(first, open.seen, load.seen, later);
  // Each lane had one exchange when the sidecar ended. Of those it may not have read a byte: then nobody was asked, and there is no record.
  const asked = await askedNumbers(pod);
  const reached = sent.filter((n) => !load.seen.broken.has(n) || asked.has(n));
  const records = await delivered(pod, reached);
  t.diagnostic(`${sent.length} sent, ${reached.length} reached the upstream, ${records.size} recorded`);
  assert.deepEqual(
    sorted([...records.keys()].filter((n) => !load.seen.broken.has(n))),
    reached.filter((n) => !load.seen.broken.has(n)),
  );
  assert.deepEqual(
    reached.filter((n) => !records.has(n)),
    [],
    'asked of the upstream, and without a record',
  );
  assert.deepEqual(
    [...records.keys()].filter((n) => !sent.includes(n)),
    [],
    'recorded, and never sent',
  );
  assert.ok(load.seen.broken.size <= 8, `${load.seen.broken.size} exchanges of 8 lanes broke`);
  assert.deepEqual(endsOf(records, [...first.whole, ...later.whole]), ['complete undefined']);
  // Of one that ended in the last moment the journal tells, where its record was not written down yet. Its last byte leaves before
  // that is in the journal: of the last ones, one a lane, only the client may know how they ended.
  const killed = [...load.seen.whole].filter((n) => records.get(n)?.['end'] === 'killed');
  const last = [...load.seen.whole].slice(-8);
  assert.deepEqual(
    killed.filter((n) => !last.includes(n)),
    [],
    'whole, recorded as killed, and not among the last 8',
  );
  const lately = endsOf(
    records,
    [...load.seen.whole].filter((n) => !killed.includes(n)),
  );
  assert.ok(
    lately.every((end) => ['complete undefined', 'complete true'].includes(end)),
    lately.join(),
  );
  assert.deepEqual(endsOf(records, open.seen.broken), ['killed true']);
  await store.end();
});

/** Numbers of the requests that the upstream got. */
async function askedNumbers(pod: string): Promise<Set<number>> {
  const url = `${stage.upstreamUrl}/control/requests`;
  const requests = JSON.parse(
    await stage.exec(pod, ['/usr/local/bin/node', '/app/main.mjs', 'client', 'fetch', '--url', url]),
  ) as { path: string }[];
  return new Set(requests.map(({ path }) => Number(/[?&]n=(\d+)/.exec(path)?.[1])));
}
