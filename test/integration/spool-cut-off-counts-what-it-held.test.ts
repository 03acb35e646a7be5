/** Promise: of a spool's file that lost its end, what waited in it is counted as dropped, record for record, and nothing else is. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/cluster/wait.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { readSpool, spoolFile } from '../support/spool-file.ts';
import { loggingSpec, NumberedLoad, numberOfRecord, startNumberedUpstream } from '../support/spool-load.ts';

const DELIVERED = 20;
const WAITING = 50;

test('a spool that lost the second half of its file: sent = at the target + counted as corrupt', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'sluice-cut-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  const chosen = join(state, 'chosen');
  const upstream = await startNumberedUpstream(t);
  const receiver = await startReceiver(t);
  const load = new NumberedLoad(chosen);
  t.after(() => load.close());
  const spec = loggingSpec(upstream.url, [{ name: 'store', http: { url: receiver.url } }]);
  const start = async (): Promise<ProxyProcess> => {
    const proxy = await ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: state } });
    t.after(() => proxy.stop());
    return proxy;
  };
  const end = async (proxy: ProxyProcess): Promise<void> => {
    proxy.signal('SIGTERM');
    assert.equal(await proxy.exited, 0);
  };

  const first = await start();
  await load.some(first, DELIVERED);
  await until('the first records', () => (receiver.stored.size === DELIVERED ? true : undefined));
  receiver.answer = { status: 500 };
  await load.some(first, WAITING);
  await end(first);
  assert.equal(readSpool(state)['store']?.waiting, WAITING);
  truncateSync(spoolFile(state), Math.floor(statSync(spoolFile(state)).size / 2));

  receiver.answer = undefined;
  const second = await start();
  await load.one(second);
  await until('the new record', () => (receiver.stored.size === DELIVERED + 1 ? true : undefined));
  const said = await second.logged(({ message }) => String(message).startsWith('Found the spool damaged'));
  assert.equal(said['lostRecords'], WAITING);
  const dropped = /^sluice_log_records_total\{target="store",result="dropped_corrupt"\} (\d+)$/m;
  assert.equal(Number(dropped.exec((await second.admin('/metrics')).text)?.[1]), WAITING);
  await end(second);

  const sent = readFileSync(chosen, 'utf8').trimEnd().split('\n').map(Number);
  const held = new Set([...receiver.stored.values()].map(numberOfRecord));
  assert.deepEqual(
    [...held].filter((number) => !sent.includes(number)),
    [],
  );
  assert.equal(sent.filter((number) => !held.has(number)).length, WAITING);
  assert.deepEqual(readSpool(state)['store'], {
    seen: sent.length,
    delivered: held.size,
    waiting: 0,
    dropped: { corrupt: WAITING },
  });
});
