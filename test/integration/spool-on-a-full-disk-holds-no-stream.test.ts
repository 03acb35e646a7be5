/** Promise: a state volume that is full, or cannot be written, delays no answer; records go on from memory, and it is said once. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { metricSum } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { loggingSpec, NumberedLoad, numberOfRecord, startNumberedUpstream } from '../support/spool-load.ts';

const EXCHANGES = 100;

/** Mounting takes privileges that a developer's machine rarely gives; a pipeline must have them. */
const cannotMount =
  process.getuid?.() === 0 || process.env['CI'] !== undefined ? false : 'needs root, to mount a small file system';

function mountSmall(t: TestContext, size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-small-'));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  assert.equal(status, 0, String(stderr));
  t.after(() => {
    spawnSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  });
  return folder;
}

async function serveOn(t: TestContext, state: string): Promise<void> {
  const upstream = await startNumberedUpstream(t);
  const receiver = await startReceiver(t);
  receiver.fault = () => ({ status: 503 });
  const load = new NumberedLoad();
  t.after(() => load.close());
  const spec = loggingSpec(upstream.url, [{ name: 'store', http: { url: receiver.url } }]);
  const proxy = await ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: state } });
  t.after(() => proxy.stop());
  await load.some(proxy, EXCHANGES);
  assert.equal(load.answered.size, EXCHANGES);
  const said = await proxy.logged(({ message }) => String(message).startsWith('Cannot write the spool'));
  assert.equal(said['level'], 'error');
  assert.equal(said['path'], join(state, 'spool/spool.db'));
  await until('the gauge', async () =>
    (await metricSum(proxy, 'sluice_log_spool_in_memory')) === 1 ? true : undefined,
  );
  await until('all to wait', async () =>
    (await metricSum(proxy, 'sluice_log_spool_records')) === EXCHANGES ? true : undefined,
  );
  receiver.fault = () => undefined;
  await until('every record', () => (receiver.stored.size === EXCHANGES ? true : undefined));
  assert.equal(new Set([...receiver.stored.values()].map(numberOfRecord)).size, EXCHANGES);
  assert.equal((proxy.ownLog.match(/Cannot write the spool/g) ?? []).length, 1);
  const { text } = await proxy.admin('/metrics');
  assert.match(text, /^sluice_log_spool_events_total\{event="held_in_memory"\} 1$/m);
  await until('all to be counted', async () =>
    (await metricSum(proxy, 'sluice_log_spool_records')) === 0 ? true : undefined,
  );
  assert.equal(await metricSum(proxy, 'sluice_log_records_total'), EXCHANGES);
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
}

test('a state volume that fills up', { skip: cannotMount }, async (t) => {
  const state = mountSmall(t, '512k');
  await serveOn(t, state);
  assert.ok(statSync(join(state, 'spool/spool.db')).isFile(), 'it began on the disk');
});

test('a state volume that cannot be written', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-unwritable-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // No folder can be made there, whoever we are.
  writeFileSync(join(folder, 'file'), '');
  await serveOn(t, join(folder, 'file/state'));
});
