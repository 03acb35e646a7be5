/** Promise: a network target whose Secret loses its key, for a while or over a restart, loses no record, and says what it lacks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../support/cluster/wait.ts';
import { type Receiver, startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess, type Secrets } from '../support/proxy-process.ts';
import { readSpool } from '../support/spool-file.ts';
import {
  loggingSpec,
  NumberedLoad,
  numberOfRecord,
  startNumberedUpstream,
  type Targets,
} from '../support/spool-load.ts';

const GOOD: Secrets = { recv: { token: 'the-good-key' } };
const WRONG: Secrets = { recv: { token: 'the-wrong-key' } };
const LACKS =
  'spec.logging.targets[0].http.credential.secret: Secret "recv" does not exist in this namespace; create it, or name another one.';

interface TargetHealth {
  readonly name: string;
  readonly state: string;
  readonly error?: string;
  readonly seen: number;
  readonly delivered: number;
  readonly waiting: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** A receiver that asks for a key, and another that takes everything. */
async function rigOf(t: TestContext) {
  const state = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
  const upstream = await startNumberedUpstream(t);
  const locked = await startReceiver(t, { authorization: 'Bearer the-good-key' });
  const open = await startReceiver(t);
  const load = new NumberedLoad();
  t.after(() => {
    load.close();
    rmSync(state, { recursive: true, force: true });
  });
  const targets: Targets = [
    { name: 'locked', http: { url: locked.url, credential: { secret: { name: 'recv', key: 'token' } } } },
    { name: 'open', http: { url: open.url } },
  ];
  const spec = loggingSpec(upstream.url, targets);
  const start = async (secrets: Secrets): Promise<ProxyProcess> => {
    const proxy = await ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: state }, secrets });
    t.after(() => proxy.stop());
    return proxy;
  };
  const apply = (proxy: ProxyProcess, secrets: Secrets): Promise<void> => proxy.apply(spec, secrets);
  return { state, locked, open, load, start, apply };
}

/** How the target does at this moment; its counts add up at every one. */
async function healthOf({ listenPort }: ProxyProcess, name: string): Promise<TargetHealth> {
  const response = await fetch(`http://127.0.0.1:${listenPort}/gateway/health`, { headers: { connection: 'close' } });
  const { targets } = (await response.json()) as { targets: readonly TargetHealth[] };
  const health = targets.find((target) => target.name === name) ?? assert.fail(`No target ${name}`);
  const { seen, delivered, waiting, dropped } = health;
  assert.equal(seen, delivered + waiting + Object.values(dropped).reduce((sum, n) => sum + n, 0));
  return health;
}

/** @returns once so many wait, and nothing was dropped */
async function waits(proxy: ProxyProcess, count: number): Promise<TargetHealth> {
  return await until(`${count} records to wait`, async () => {
    const health = await healthOf(proxy, 'locked');
    assert.deepEqual(health.dropped, {});
    return health.waiting === count ? health : undefined;
  });
}

async function failingTargets(proxy: ProxyProcess): Promise<unknown> {
  return (JSON.parse((await proxy.admin('/revision')).text) as { failingTargets: unknown }).failingTargets;
}

const received = ({ stored }: Receiver, count: number): Promise<true> =>
  until(`${count} records`, () => (stored.size === count ? true : undefined));

async function end(proxy: ProxyProcess): Promise<void> {
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
}

test('a target whose Secret is made anew takes what waited before, and what came meanwhile', async (t) => {
  const { load, start, apply, locked, open, state } = await rigOf(t);
  const proxy = await start(WRONG);
  await load.some(proxy, 3);
  await proxy.logged(({ message }) => String(message).startsWith('Cannot write to log target'));
  await waits(proxy, 3);
  await apply(proxy, {});
  await load.some(proxy, 4);
  await received(open, 7);
  const { state: shown, error } = await waits(proxy, 7);
  assert.deepEqual([shown, error], ['invalid', LACKS]);
  assert.deepEqual(await failingTargets(proxy), [{ name: 'locked', error: LACKS }]);
  const said = await proxy.logged(({ message }) => String(message).startsWith('Log target is invalid'));
  assert.deepEqual([said['level'], said['target'], said['problem']], ['warn', 'locked', LACKS]);
  await apply(proxy, GOOD);
  await received(locked, 7);
  await until('every target to take records', async () =>
    ((await failingTargets(proxy)) as unknown[]).length === 0 ? true : undefined,
  );
  await end(proxy);
  assert.deepEqual(readSpool(state)['locked'], { seen: 7, delivered: 7, waiting: 0, dropped: {} });
  assert.deepEqual(
    [...locked.stored.values()].map(numberOfRecord).sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.doesNotMatch(proxy.output, /the-(good|wrong)-key/);
});

test('what waits for a target outlives a restart that finds its key gone', async (t) => {
  const { load, start, apply, locked, state } = await rigOf(t);
  const first = await start(WRONG);
  await load.some(first, 3);
  await waits(first, 3);
  await end(first);
  const second = await start({});
  await load.some(second, 2);
  assert.equal((await waits(second, 5)).error, LACKS);
  await end(second);
  assert.deepEqual(readSpool(state)['locked'], { seen: 5, delivered: 0, waiting: 5, dropped: {} });
  const third = await start({});
  await waits(third, 5);
  await apply(third, GOOD);
  await received(locked, 5);
  await end(third);
  assert.deepEqual(readSpool(state)['locked'], { seen: 5, delivered: 5, waiting: 0, dropped: {} });
});
