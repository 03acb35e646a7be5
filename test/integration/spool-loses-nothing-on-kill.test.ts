/** Promise: a proxy that is killed at any moment loses no record of an exchange that reached an upstream, and invents none. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../support/clients/seeded.ts';
import { until } from '../support/cluster/wait.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { readSpool } from '../support/spool-file.ts';
import { loggingSpec, NumberedLoad, numberOfRecord, startNumberedUpstream } from '../support/spool-load.ts';

const KILLS = process.env['SLUICE_LONG'] === '1' ? 100 : 10;
const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121);
const LANES = 8;

test(`${KILLS} kills at random moments under load: every exchange has its one record at the target`, async (t) => {
  t.diagnostic(`SLUICE_SEED=${SEED}`);
  const random = seeded(SEED);
  const state = mkdtempSync(join(tmpdir(), 'sluice-kills-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  const upstream = await startNumberedUpstream(t);
  const receiver = await startReceiver(t);
  const load = new NumberedLoad();
  t.after(() => load.close());
  const spec = loggingSpec(upstream.url, [{ name: 'store', http: { url: receiver.url, maxRecords: 50 } }]);
  const start = (): Promise<ProxyProcess> => ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: state } });
  receiver.fault = () => (random.below(10) === 0 ? { status: 500 } : undefined);

  for (let kill = 0; kill < KILLS; kill++) {
    const proxy = await start();
    const stop = load.start(proxy, LANES);
    await sleep(50 + random.below(900));
    await proxy.stop();
    await stop();
  }
  receiver.fault = () => undefined;
  const last = await start();
  await load.some(last, 3);
  const numbers = (): number[] => [...receiver.stored.values()].map(numberOfRecord);
  const missing = (): number[] => {
    const recorded = new Set(numbers());
    return [...upstream.seen].filter((number) => !recorded.has(number));
  };
  await until('every record', () => (missing().length === 0 ? true : undefined)).catch(() => {});
  last.signal('SIGTERM');
  assert.equal(await last.exited, 0);
  await last.stop();

  const recorded = numbers();
  t.diagnostic(`${load.sent.size} sent, ${upstream.seen.size} reached the upstream, ${recorded.length} recorded`);
  assert.deepEqual(missing(), [], 'exchanges without a record');
  assert.deepEqual(
    recorded.filter((number) => !load.sent.has(number)),
    [],
    'records without an exchange',
  );
  assert.equal(new Set(recorded).size, recorded.length, 'two records of one exchange');
  assert.deepEqual(
    [...load.answered].filter((number) => !recorded.includes(number)),
    [],
  );
  assert.ok(upstream.seen.size > KILLS * LANES, 'there was load');
  const account = readSpool(state)['store'];
  assert.deepEqual(account, { seen: recorded.length, delivered: recorded.length, waiting: 0, dropped: {} });
});
