/**
 * Promise: a spool that is full takes nobody's place. The pod stays although the application has a limit of ephemeral storage that
 * the records that wait exceed, the proxy streams on, what is dropped is counted, and the resource's condition names the target.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { diskBytesAtMost } from '../../contract/disk-bytes.ts';
import type { StreamProxy } from '../../contract/resources.ts';
import { exchanges, startExchanges } from '../support/cluster/exchanges.ts';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { list, pod as podObject, podTemplate } from '../support/cluster/objects.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { sidecarMetric, sidecarStatus } from '../support/cluster/sidecar.ts';
import { downStore, type Store } from '../support/cluster/store.ts';
import { until } from '../support/cluster/wait.ts';

const MIB = 1024 ** 2;
/** So many that SQLite moves its log of changes into the file, which it does at 6 MiB. */
const EXCHANGES = 2_000;
const SPOOL_BYTES = MIB / 4;
/** Of the application; the records that wait, and the log of changes beside them, take more. */
const APPLICATION_LIMIT = '2Mi';
const MORE_BYTES = 4 * MIB;
/** The operator asks a sidecar that confirmed its config again after a minute, in rounds of half a minute. */
const ASKED_AGAIN_MS = 120_000;

let ready: Installed;
let stage: Scene;
let store: Store;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'full');
  store = await downStore(ready);
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl, { logging: logging() })));
  await stage.condition('llm', 'Programmed', 'True');
  await stage.apply(list(limited(podObject({ ...application(), name: 'agent', inject: 'llm' }))));
  await stage.podOf('agent');
});

after(async () => {
  await store?.end();
  await stage?.end();
});

const application = (): { image: string; args: string[] } => ({ image: ready.testImage, args: ['client', 'idle'] });

/** Everything that may lie in the state directory, each with a bound that is reached. */
function logging() {
  return {
    spool: { maxBytes: SPOOL_BYTES },
    audit: { enabled: true, maxBytes: '1Mi' },
    targets: [
      { name: 'store', http: { url: store.url } },
      { name: 'lines', file: { path: 'records.ndjson', maxBytes: '256Ki' } },
    ],
  };
}

interface PodLike {
  readonly spec: { readonly containers: readonly { readonly resources: { readonly limits: object } }[] };
}

/** The pod, its first container with a limit of ephemeral storage. */
function limited(pod: object): object {
  const { spec, ...rest } = structuredClone(pod) as PodLike;
  const [first, ...others] = spec.containers;
  const limits = { ...first?.resources.limits, 'ephemeral-storage': APPLICATION_LIMIT };
  return {
    ...rest,
    spec: { ...spec, containers: [{ ...first, resources: { ...first?.resources, limits } }, ...others] },
  };
}

const metric = (name: string): Promise<Record<string, number>> => sidecarMetric(ready.kubectl, stage, 'agent', name);
const counted = async (name: string, labels: string): Promise<number> => (await metric(name))[labels] ?? 0;
const waiting = (): Promise<number> => counted('sluice_log_spool_records', '{target="store"}');
const results = (result: string): Promise<number> =>
  counted('sluice_log_records_total', `{target="store",result="${result}"}`);

let dropped = 0;

test('with more than the spool takes the proxy streams on, and each record waits or is counted as dropped', async (t) => {
  const load = { from: 0, count: EXCHANGES, lanes: 8, promptBytes: 2_000, model: 'scripted?words=20&delay=0' };
  const running = startExchanges(ready.kubectl, stage, 'agent', load);
  await running.ended();
  assert.equal(running.seen.whole.size, EXCHANGES);
  // What is on its way to the file counts as waiting, too: it has arrived when nothing changes any more.
  let before = Number.NaN;
  const left = await until(
    'every record to wait or be dropped',
    async () => {
      const [waits, drops] = [await waiting(), await results('dropped_spool_full')];
      const settled = waits === before;
      before = waits;
      return settled && waits + drops === EXCHANGES ? waits : undefined;
    },
    { everyMs: 1_000 },
  );
  dropped = EXCHANGES - left;
  const stripped = await counted('sluice_log_spool_events_total', '{event="stripped"}');
  t.diagnostic(`${EXCHANGES} exchanges: ${left} records wait, ${dropped} dropped, ${stripped} without their bodies`);
  assert.ok(dropped > 0 && left > 0, `${dropped} dropped, ${left} waiting`);
  assert.ok(stripped >= left / 2 && stripped <= EXCHANGES, `${stripped} lost their bodies`);
  const all = await metric('sluice_log_records_total');
  const others = Object.entries(all).filter(([labels]) => labels.includes('"store"') && !labels.includes('spool_full'));
  assert.deepEqual(
    others.filter(([, records]) => records > 0),
    [],
  );
});

test('what the sidecar has on disk stays below the limit that injection gave it', async (t) => {
  const script = `
    import { readdirSync, statSync } from 'node:fs';
    const files = readdirSync('/var/lib/sluice', { recursive: true }).map((path) => [path, statSync('/var/lib/sluice/' + path)]);
    const sizes = files.map(([path, stats]) => [path, stats.isFile() ? stats.blocks * 512 : 0]);
    console.log(JSON.stringify(Object.fromEntries(sizes)));
  `;
  const command = ['/usr/local/bin/node', '--input-type=module', '-e', script];
  const sizes = JSON.parse(await stage.exec('agent', command, 'sluice')) as Record<string, number>;
  t.diagnostic(JSON.stringify(sizes));
  const spool = sizes['spool/spool.db'] ?? 0;
  assert.ok(spool > SPOOL_BYTES / 2 && spool <= SPOOL_BYTES + MIB / 4, `${spool} bytes of spool`);
  const { spec } = await ready.kubectl.get<StreamProxy>(['-n', stage.namespace, 'streamproxy', 'llm']);
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  assert.ok(total < diskBytesAtMost(spec), `${JSON.stringify(sizes)} of ${diskBytesAtMost(spec)}`);
  const pod = await ready.kubectl.get<InjectedPod>(['-n', stage.namespace, 'pod', 'agent']);
  const limits = pod.spec.initContainers[0]?.resources.limits;
  assert.equal(limits?.['ephemeral-storage'], `${Math.ceil(diskBytesAtMost(spec) / MIB)}Mi`);
  assert.deepEqual(
    pod.spec.volumes.filter(({ emptyDir }) => emptyDir?.sizeLimit !== undefined),
    [],
  );
});

interface InjectedPod {
  readonly spec: {
    readonly initContainers: readonly { readonly resources: { readonly limits: Readonly<Record<string, string>> } }[];
    readonly volumes: readonly { readonly name: string; readonly emptyDir?: { readonly sizeLimit?: string } }[];
  };
}

test('the condition TargetsReady names the target and why it takes nothing', async () => {
  const { conditions } = await stage.condition('llm', 'TargetsReady', 'False', ASKED_AGAIN_MS);
  const found = conditions?.find(({ type }) => type === 'TargetsReady');
  assert.equal(found?.reason, 'TargetFailing');
  assert.match(found?.message ?? '', /^Target "store" takes no records from 1 of 1 pods, .*ECONNREFUSED/);
});

test('the kubelet evicts a pod that exceeds such a limit, and not the one with the sidecar', async () => {
  await until(
    'the kubelet to see what the sidecar has on disk',
    async () => {
      const used = await usedBytes('agent', 'sluice-state');
      return used !== undefined && used >= MORE_BYTES ? true : undefined;
    },
    { timeoutMs: 150_000, everyMs: 1_000 },
  );
  // The same use beside the same limit: when this one is gone, the kubelet has looked.
  await stage.apply(list(limited(careless())));
  const gone = await until(
    'the other pod to be evicted',
    async () => {
      const { status } = await ready.kubectl.get<PodStatus>(['-n', stage.namespace, 'pod', 'careless']);
      return status.phase === 'Failed' ? status : undefined;
    },
    { timeoutMs: 150_000, everyMs: 500 },
  );
  assert.equal(gone.reason, 'Evicted');
  const { status } = await ready.kubectl.get<PodStatus>(['-n', stage.namespace, 'pod', 'agent']);
  assert.deepEqual([status.phase, status.reason], ['Running', undefined]);
  assert.equal((await sidecarStatus(ready.kubectl, stage, 'agent')).restartCount, 0);
});

interface PodStatus {
  readonly status: { readonly phase: string; readonly reason?: string };
}

/** A pod without sidecar whose second container writes no more than the sidecar does. */
function careless(): object {
  const { metadata, spec } = podTemplate({ ...application(), name: 'careless' }) as {
    metadata: object;
    spec: { containers: object[] };
  };
  const [app] = spec.containers;
  const script = `require('node:fs').writeFileSync('/data/x', Buffer.alloc(${MORE_BYTES}, 1)); setInterval(() => {}, 60_000)`;
  const writer = {
    ...app,
    name: 'writer',
    command: ['/usr/local/bin/node', '-e', script],
    args: [],
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'careless' },
    spec: { ...spec, containers: [app, writer], volumes: [{ name: 'data', emptyDir: {} }] },
  };
}

interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly volume?: readonly { readonly name: string; readonly usedBytes?: number }[];
  }[];
}

/** What the kubelet measured of a volume last. */
async function usedBytes(pod: string, volume: string): Promise<number | undefined> {
  const { spec } = await ready.kubectl.get<{ spec: { nodeName: string } }>(['-n', stage.namespace, 'pod', pod]);
  const summary = JSON.parse(
    await ready.kubectl.do(['get', '--raw', `/api/v1/nodes/${spec.nodeName}/proxy/stats/summary`]),
  ) as Summary;
  const found = summary.pods.find(({ podRef }) => podRef.name === pod && podRef.namespace === stage.namespace);
  return found?.volume?.find(({ name }) => name === volume)?.usedBytes;
}

test('once the target is there it gets every record that was not dropped, and the condition says so', async () => {
  await store.up();
  await until('an empty spool', async () => ((await waiting()) === 0 ? true : undefined));
  const records = store.byNumber();
  assert.equal(records.size, EXCHANGES - dropped);
  assert.ok([...records.keys()].every((n) => n >= 0 && n < EXCHANGES));
  assert.deepEqual([await results('delivered'), await results('dropped_spool_full')], [records.size, dropped]);
  const later = await exchanges(stage, 'agent', { from: EXCHANGES, count: 10, model: 'scripted?words=20&delay=0' });
  assert.equal(later.whole.size, 10);
  await until('the later records', () => store.byNumber().size === EXCHANGES - dropped + 10 || undefined);
  await stage.condition('llm', 'TargetsReady', 'True', ASKED_AGAIN_MS);
});
