/**
 * Promise: whatever befalls a target of any kind while exchanges go on, in the end each exchange is at the target or listed as
 * dropped, nothing else is there, and the metrics say the same.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { metricSum } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';
import type { CuttingMode } from '../support/cutting-proxy.ts';
import {
  answer,
  contentsOf,
  type EveryKind,
  everyProgram,
  KINDS,
  type Kind,
  secretsOf,
  startEveryKind,
  targetsOf,
} from '../support/log-targets/every-kind.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { listedAsDropped, readSpool } from '../support/spool-file.ts';
import { loggingSpec, NumberedLoad, numberOfRecord, startNumberedUpstream } from '../support/spool-load.ts';

const LONG = process.env['SLUICE_LONG'] === '1';
/** How long every target is down; in the short form with the exchanges of the long one. */
const DOWN_MS = LONG ? 600_000 : 60_000;
const DOWN_EXCHANGES = 6_000;
const PER_SECOND = 10;
/** Longer ones are refused by every target, for a reason of its own. */
const RECORD_BYTES = 4 * 1024 ** 2;
/** `failing`: an error instead of an answer where the kind speaks HTTP; a reset where it does not. */
const FAULTS = ['silent', 'closing', 'slow', 'failing'] as const;

const programs = await everyProgram();
const options = { skip: programs === undefined && 'not every server can be installed on this machine' };

interface Scene {
  readonly servers: EveryKind;
  readonly proxy: ProxyProcess;
  readonly load: NumberedLoad;
  readonly state: string;
  /** Where the load wrote what it was about to send. */
  readonly chosen: string;
  readonly upstreamSaw: ReadonlySet<number>;
}

async function sceneOf(t: TestContext): Promise<Scene> {
  assert.ok(programs);
  const state = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  const chosen = join(state, 'chosen');
  const servers = await startEveryKind(t, programs, RECORD_BYTES);
  const upstream = await startNumberedUpstream(t);
  const load = new NumberedLoad(chosen);
  t.after(() => load.close());
  const spec = loggingSpec(upstream.url, targetsOf(servers));
  const capture = { maxBodyBytes: 4 * RECORD_BYTES };
  const proxy = await ProxyProcess.start(
    { ...spec, logging: { ...spec.logging, capture } },
    {
      secrets: secretsOf(servers),
      env: { SLUICE_STATE_DIR: state },
    },
  );
  t.after(() => proxy.stop());
  return { servers, proxy, load, state, chosen, upstreamSaw: upstream.seen };
}

async function recordsOf(proxy: ProxyProcess): Promise<Record<string, Record<string, number>>> {
  const counts: Record<string, Record<string, number>> = {};
  const line = /^sluice_log_records_total\{target="([a-z0-9]+)",result="(\w+)"\} (\d+)/gm;
  for (const [, target = '', result = '', records] of (await proxy.admin('/metrics')).text.matchAll(line))
    if (Number(records) > 0) counts[target] = { ...counts[target], [result]: Number(records) };
  return counts;
}

async function failing(proxy: ProxyProcess): Promise<string[]> {
  const revision = JSON.parse((await proxy.admin('/revision')).text) as { failingTargets: { name: string }[] };
  return revision.failingTargets.map(({ name }) => name);
}

const nobodyFails = (proxy: ProxyProcess): Promise<true> =>
  until('every target to take records', async () => ((await failing(proxy)).length === 0 ? true : undefined), {
    timeoutMs: 90_000,
  });

function setFault({ proxies }: EveryKind, kind: Kind, fault: CuttingMode | 'failing'): void {
  const speaksHttp = kind === 'http' || kind === 'otlp' || kind === 's3';
  if (fault === 'failing' && speaksHttp) proxies[kind].answer = () => answer('500 Internal Server Error');
  else proxies[kind].mode(fault === 'failing' ? 'refusing' : fault);
  proxies[kind].cut();
}

/** Each target has another fault, in each round another one, until all that cannot deliver were seen to fail and the others deliver. */
async function round({ servers, proxy }: Scene, number: number): Promise<void> {
  const faults = new Map(KINDS.map((kind, index) => [kind, FAULTS[(index + number) % FAULTS.length] ?? 'slow']));
  const before = await recordsOf(proxy);
  const s3Answer = servers.proxies.s3.answer;
  for (const [kind, fault] of faults) setFault(servers, kind, fault);
  await until(
    `round ${number}`,
    async () => {
      const [fail, now] = [await failing(proxy), await recordsOf(proxy)];
      const delivers = (kind: Kind): boolean => (now[kind]?.['delivered'] ?? 0) > (before[kind]?.['delivered'] ?? 0);
      const unexpected = [...faults].filter(([kind, fault]) =>
        fault === 'slow' ? !delivers(kind) : !fail.includes(kind),
      );
      if (unexpected.length > 0) throw new Error(`Not as expected: ${unexpected.join(' ')}; failing: ${fail.join()}`);
      return true;
    },
    { timeoutMs: 120_000 },
  ).catch((error: Error) => assert.fail(`${error.message}: ${String(error.cause)}`));
  for (const kind of KINDS) {
    servers.proxies[kind].answer = () => undefined;
    servers.proxies[kind].mode('open');
    servers.proxies[kind].cut();
  }
  servers.proxies.s3.answer = s3Answer;
  await nobodyFails(proxy);
}

async function allDown({ servers, proxy, load }: Scene): Promise<void> {
  const [began, before] = [performance.now(), load.sent.size];
  for (const kind of KINDS) servers.proxies[kind].mode('down');
  await Promise.all([servers.postgres.stop(), servers.kafka.stop()]);
  const stop = load.pace(proxy, (DOWN_EXCHANGES / DOWN_MS) * 1000);
  await sleep(DOWN_MS - (performance.now() - began));
  await until('as many exchanges as in the long form', () => load.sent.size - before >= DOWN_EXCHANGES || undefined);
  await stop();
  assert.deepEqual((await failing(proxy)).sort(), [...KINDS].sort());
  await Promise.all([servers.postgres.start(), servers.kafka.start()]);
  for (const kind of KINDS) servers.proxies[kind].mode('open');
  await nobodyFails(proxy);
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);

test(
  'every kind of target behind every fault: sent = at the target + listed as dropped, both ways',
  options,
  async (t) => {
    const scene = await sceneOf(t);
    const { servers, proxy, load, state } = scene;
    await load.some(proxy, 3);
    await until(
      'every target to have records',
      async () =>
        Object.values(await recordsOf(proxy)).filter((of) => of['delivered'] === 3).length === KINDS.length ||
        undefined,
    );
    const longest = `check (length(record::text) < ${RECORD_BYTES})`;
    await servers.postgres.query(`alter table sluice_records add constraint longest ${longest}`);
    const stop = load.pace(proxy, PER_SECOND);
    const refused = load.sent.size;
    await load.one(proxy, JSON.stringify({ model: 'claude-x', messages: [], noise: noise(1.5 * RECORD_BYTES) }));
    await until(
      'every target to refuse the long one',
      async () =>
        Object.values(await recordsOf(proxy)).filter((of) => of['dropped_refused'] === 1).length === KINDS.length ||
        undefined,
    );
    for (let number = 0; number < FAULTS.length; number++) await round(scene, number);
    await stop();
    await allDown(scene);
    await until('nothing to wait', async () =>
      (await metricSum(proxy, 'sluice_log_spool_records')) === 0 ? true : undefined,
    );
    const metrics = await recordsOf(proxy);
    proxy.signal('SIGTERM');
    assert.equal(await proxy.exited, 0);

    const sent = readFileSync(scene.chosen, 'utf8').trimEnd().split('\n').map(Number);
    t.diagnostic(`${sent.length} exchanges were chosen and sent`);
    assert.deepEqual(sorted(scene.upstreamSaw), sorted(sent));
    const accounts = readSpool(state);
    const contents = await contentsOf(t, servers);
    const listed = listedAsDropped(state);
    assert.equal(new Set(listed.map(({ id }) => id)).size, 1, 'one record was refused, by each');
    for (const kind of KINDS) {
      const held = new Set(contents[kind].map(numberOfRecord));
      const ids = new Set(contents[kind].map(({ id }) => id));
      const dropped = listed.filter(({ target }) => target === kind);
      t.diagnostic(`${kind}: ${contents[kind].length} records, ${ids.size} of them different`);
      assert.equal(ids.size, held.size, `${kind}: a record has one id`);
      assert.deepEqual(sorted([...held, ...dropped.map(() => refused)]), sorted(sent), kind);
      assert.ok(!dropped.some(({ id }) => ids.has(id)), `${kind}: dropped and there`);
      const counts = { delivered: held.size, dropped_refused: dropped.length };
      assert.deepEqual(metrics[kind], counts, kind);
      const inFile = { seen: sent.length, delivered: held.size, waiting: 0, dropped: { refused: dropped.length } };
      assert.deepEqual(accounts[kind], inFile, kind);
    }
    for (const kind of ['http', 'postgres'] as const)
      assert.equal(contents[kind].length, sent.length - 1, `${kind}: each once`);
  },
);

/** Text that no compression shortens by much. */
function noise(length: number): string {
  return randomBytes(Math.ceil((length * 3) / 4)).toString('base64');
}
