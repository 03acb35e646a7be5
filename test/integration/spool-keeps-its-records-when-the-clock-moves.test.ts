/**
 * Promise: when the machine's clock is set an hour forward and back while records wait, none is taken for too old, nothing waits an
 * hour, and each has an id of its own that sorts by the time that the record tells.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { metricSum } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';
import { programFrom } from '../support/log-targets/debian-package.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { readSpool } from '../support/spool-file.ts';
import { loggingSpec, NumberedLoad, numberOfRecord, startNumberedUpstream } from '../support/spool-load.ts';

/** Every call for the wall's time goes through it, in all threads; monotonic time stays what it is. */
const library = await programFrom('libfaketime', '/usr/lib/*/faketime/libfaketimeMT.so.1');
const options = { skip: library === undefined && 'libfaketime cannot be installed on this machine' };
const HOUR_MS = 3_600_000;
const EACH = 5;
/** The spool looks at ages every second. */
const UPKEEPS_MS = 2_500;

/** A proxy process whose wall clock can be set. */
async function startWithClock(t: TestContext, state: string, spec: Spec) {
  const clock = join(state, 'clock');
  const set = (offset: string): void => {
    writeFileSync(`${clock}.new`, `${offset}\n`);
    renameSync(`${clock}.new`, clock);
  };
  set('+0');
  const faketime = { FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_CACHE_DURATION: '1', NO_FAKE_STAT: '1' };
  const proxy = await ProxyProcess.start(spec, {
    env: { SLUICE_STATE_DIR: state, LD_PRELOAD: library ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1', ...faketime },
  });
  t.after(() => proxy.stop());
  return {
    proxy,
    set: async (offset: string, offsetMs: number): Promise<void> => {
      set(offset);
      await until(`the clock to show ${offset}`, async () => {
        const { headers } = await fetch(`http://127.0.0.1:${proxy.metricsPort}/healthz`);
        const aheadMs = new Date(headers.get('date') ?? '').getTime() - Date.now();
        return Math.abs(aheadMs - offsetMs) < HOUR_MS / 10 || undefined;
      });
    },
  };
}

test('the clock goes an hour forward and two back while a target is down', options, async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  const upstream = await startNumberedUpstream(t);
  const receiver = await startReceiver(t);
  receiver.answer = { status: 500 };
  const load = new NumberedLoad();
  t.after(() => load.close());
  // Shorter than the jump: by the wall's clock everything would be too old.
  const spec = loggingSpec(upstream.url, [{ name: 'store', http: { url: receiver.url } }], { maxAge: '30m' });
  const { proxy, set } = await startWithClock(t, state, spec);
  const some = async (): Promise<void> => {
    await load.some(proxy, EACH);
    await sleep(UPKEEPS_MS);
    assert.equal(await metricSum(proxy, 'sluice_log_spool_records'), load.sent.size);
  };
  await some();
  await set('+1h', HOUR_MS);
  await some();
  await set('-1h', -HOUR_MS);
  await some();

  receiver.answer = undefined;
  await until('every record', () => (receiver.stored.size === 3 * EACH ? true : undefined));
  await until('every record to be counted', async () =>
    (await metricSum(proxy, 'sluice_log_records_total')) === 3 * EACH ? true : undefined,
  );
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
  const accounted = { seen: 3 * EACH, delivered: 3 * EACH, waiting: 0, dropped: {} };
  assert.deepEqual(readSpool(state)['store'], accounted);

  const records = [...receiver.stored.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const times = records.map((record) => Date.parse(String(record['receivedAt'])));
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  const numbers = records.map(numberOfRecord);
  const spans = [numbers.slice(0, EACH), numbers.slice(EACH, 2 * EACH), numbers.slice(2 * EACH)];
  // Those of the last span were received first, as the wall's clock has it.
  assert.deepEqual(
    spans.map((span) => span.map((number) => Math.floor(number / EACH))),
    [2, 0, 1].map((span) => Array.from({ length: EACH }, () => span)),
  );
});
