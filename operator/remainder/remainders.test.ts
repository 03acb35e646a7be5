import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { ApiError } from '../cluster/api-error.ts';
import { NotLeadingError } from '../cluster/leader-only.ts';
import { createLogger } from '../logger.ts';
import type { UndeliveredLabels } from '../metrics.ts';
import type { Once } from '../status/events.ts';
import type { PodFacts } from '../watch/pod-facts.ts';
import { Remainders } from './remainders.ts';

const ENDED_AT = '2026-11-21T12:00:00Z';
const MINUTE = 60_000;

function resource(targets: readonly string[] = ['store']): StreamProxy {
  return {
    metadata: { name: 'llm', namespace: 'n', uid: 'r' },
    spec: {
      upstreams: [],
      routes: [],
      logging: { targets: targets.map((name) => ({ name, http: { url: 'http://store' } })) },
    },
  };
}

function pod(uid: string, waiting = 5): PodFacts {
  return {
    namespace: 'n',
    name: `pod-${uid}`,
    uid,
    proxy: 'llm',
    ip: '',
    phase: 'Succeeded',
    deleting: false,
    revisionAnnotation: '',
    metricsPort: 9019,
    run: '',
    left: {
      remainder: { final: true, targets: [{ name: 'store', waiting, dropped: 0 }] },
      endedAt: ENDED_AT,
    },
  };
}

/** An API server that keeps events, and the metric. */
class World {
  readonly events = new Map<string, Once>();
  readonly series = new Map<string, number>();
  readonly lines: string[] = [];
  nowMs = Date.parse(ENDED_AT);
  tries = 0;
  /** What goes wrong with each try, in order. */
  faults: (Error | 'lost answer' | undefined)[] = [];
  #settled: (() => void)[] = [];

  open(): Remainders {
    return new Remainders({
      events: { recordOnce: async (_about, once) => this.#write(once) },
      count: (labels, records) => {
        this.series.set(seriesOf(labels), (this.series.get(seriesOf(labels)) ?? 0) + records);
      },
      forgetCount: (labels) => void this.series.delete(seriesOf(labels)),
      logger: createLogger('info', {
        write: (line: string) => {
          this.lines.push(line);
          for (const wake of this.#settled.splice(0)) wake();
        },
      }),
      now: () => this.nowMs,
      firstBackoffMs: 1,
    });
  }

  /** Resolves when the operator has said so many things. */
  async said(lines: number): Promise<void> {
    while (this.lines.length < lines) await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  #write(once: Once): boolean {
    this.tries += 1;
    const fault = this.faults.shift();
    if (fault instanceof Error) throw fault;
    if (this.events.has(once.name)) return false;
    this.events.set(once.name, once);
    if (fault === 'lost answer') throw new Error('socket hang up');
    return true;
  }
}

function seriesOf({ streamproxy_namespace: namespace, streamproxy, target }: UndeliveredLabels): string {
  return `${namespace}/${streamproxy}/${target}`;
}

function lead(t: TestContext, remainders: Remainders): void {
  const stopping = new AbortController();
  const working = remainders.work(stopping.signal);
  t.after(async () => {
    stopping.abort(new Error('Enough'));
    await working;
  });
}

test('a pod is counted once, however often it is seen, and its event names it', async (t) => {
  const world = new World();
  const remainders = world.open();
  remainders.know(resource());
  assert.deepEqual([...world.series], [['n/llm/store', 0]], 'the series is there before the first loss');
  lead(t, remainders);
  remainders.notice(pod('1'));
  remainders.notice(pod('1'));
  await world.said(1);
  remainders.notice(pod('1'));
  remainders.notice(pod('2', 2));
  await world.said(2);
  assert.deepEqual([...world.series], [['n/llm/store', 7]]);
  assert.deepEqual([...world.events.keys()], ['left-behind.1', 'left-behind.2']);
  assert.equal(world.tries, 2, 'the API server is asked once a pod');
  const event = world.events.get('left-behind.1');
  assert.equal(event?.pod.name, 'pod-1');
  assert.match(event?.happening.note ?? '', /5 for log target "store"/);
});

test('one that does not lead counts when it comes to lead, but what the leader before has counted', async (t) => {
  const world = new World();
  const [first, second] = [world.open(), world.open()];
  first.know(resource());
  lead(t, first);
  for (const each of [first, second]) each.notice(pod('1'));
  await world.said(1);
  second.notice(pod('2', 2));
  world.series.clear();
  second.know(resource());
  lead(t, second);
  await world.said(2);
  assert.deepEqual([...world.series], [['n/llm/store', 2]]);
  assert.equal(world.events.size, 2);
});

test('one that does not lead remembers five minutes', async (t) => {
  const world = new World();
  const remainders = world.open();
  remainders.know(resource());
  remainders.notice(pod('1'));
  world.nowMs += 6 * MINUTE;
  remainders.notice(pod('2', 2));
  lead(t, remainders);
  await world.said(1);
  assert.deepEqual([...world.events.keys()], ['left-behind.2']);
});

test('an end of which no event may be left any more is not counted', async (t) => {
  const world = new World();
  const remainders = world.open();
  remainders.know(resource());
  lead(t, remainders);
  world.nowMs += 56 * MINUTE;
  remainders.notice(pod('1'));
  const { left, ...late } = pod('2', 2);
  assert.ok(left);
  remainders.notice({ ...late, left: { ...left, endedAt: new Date(world.nowMs).toISOString() } });
  await world.said(1);
  assert.deepEqual([...world.series], [['n/llm/store', 2]]);
});

test('faults of the API server are outlived; one whose answer was lost is counted once', async (t) => {
  const world = new World();
  world.faults = [new ApiError(503, '', 'Busy'), new NotLeadingError('Not yet'), new Error('refused'), 'lost answer'];
  const remainders = world.open();
  remainders.know(resource());
  lead(t, remainders);
  remainders.notice(pod('1'));
  await world.said(1);
  assert.deepEqual([...world.series], [['n/llm/store', 5]]);
  assert.equal(world.events.size, 1);
  assert.deepEqual(world.faults, []);
});

test('where no event may be written the count is made without it', async (t) => {
  const world = new World();
  world.faults = [new ApiError(403, 'Forbidden', 'The namespace is being terminated')];
  const remainders = world.open();
  remainders.know(resource());
  lead(t, remainders);
  remainders.notice(pod('1'));
  await world.said(2);
  assert.deepEqual([...world.series], [['n/llm/store', 5]]);
  assert.match(world.lines[0] ?? '', /Cannot write an event/);
});

test('pods that end right after their resource are counted; series at 0 go ten minutes after it', async (t) => {
  const world = new World();
  const remainders = world.open();
  remainders.know(resource(['store', 'idle']));
  lead(t, remainders);
  remainders.forget('n/llm');
  remainders.notice(pod('1'));
  await world.said(1);
  assert.deepEqual(Object.fromEntries(world.series), { 'n/llm/store': 5, 'n/llm/idle': 0 });
  world.nowMs += 11 * MINUTE;
  remainders.forget('n/another');
  assert.deepEqual(Object.fromEntries(world.series), { 'n/llm/store': 5 });
});

test('a resource that comes back keeps its series, and a target that goes takes its own', () => {
  const world = new World();
  const remainders = world.open();
  remainders.know(resource(['store', 'old']));
  remainders.forget('n/llm');
  remainders.know(resource(['store', 'new']));
  world.nowMs += 11 * MINUTE;
  remainders.forget('n/another');
  assert.deepEqual([...world.series.keys()], ['n/llm/store', 'n/llm/new']);
});

test('a pod that is heard of before its resource waits for it', async (t) => {
  const world = new World();
  const remainders = world.open();
  lead(t, remainders);
  remainders.notice(pod('1'));
  await new Promise((resolve) => setImmediate(resolve));
  remainders.know(resource());
  await world.said(1);
  assert.deepEqual([...world.series], [['n/llm/store', 5]]);
});

test('a pod that names a resource which never was makes no series', async (t) => {
  const world = new World();
  const remainders = world.open();
  lead(t, remainders);
  remainders.notice(pod('1'));
  await world.said(1);
  assert.match(world.lines[0] ?? '', /its StreamProxy is gone/);
  assert.deepEqual([world.series.size, world.events.size], [0, 0]);
});
