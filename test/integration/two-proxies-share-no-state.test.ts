/** Promise: a proxy whose state directory another one has touches nothing of it, serves and delivers all the same, and takes it over when it is free. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/cluster/wait.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

test('the second of two proxies on one state directory waits for it, and loses nothing', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'sluice-shared-state-'));
  const upstream = await RawUpstream.start();
  const proxies: ProxyProcess[] = [];
  // In this order: what still runs still writes.
  t.after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await upstream.close();
    rmSync(state, { recursive: true, force: true });
  });
  const receiver = await startReceiver(t);
  const spec = {
    ...simpleSpec(upstream.url),
    logging: {
      targets: [
        { name: 'stdout', stdout: {} },
        { name: 'kept', file: { path: 'records.ndjson' } },
        { name: 'store', http: { url: receiver.url } },
      ],
    },
  };
  const start = async (): Promise<ProxyProcess> => {
    const proxy = await ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: state } });
    proxies.push(proxy);
    return proxy;
  };
  const serve = async (proxy: ProxyProcess): Promise<string> => {
    const client = await RawClient.send(proxy.listenPort, messagesRequest());
    await (await upstream.next()).reply(200, '{}');
    assert.equal((await client.answer()).status, 200);
    client.destroy();
    return (await proxy.takeRecord()).id;
  };
  const journal = join(state, 'open.ndjson');
  const records = join(state, 'records.ndjson');
  const written = (): string => (existsSync(records) ? readFileSync(records, 'utf8') : '');

  const first = await start();
  const ofFirst = await serve(first);
  await until('the first record', () =>
    written().includes(ofFirst) && receiver.stored.has(ofFirst) ? true : undefined,
  );
  const open = await RawClient.send(first.listenPort, messagesRequest());
  t.after(() => open.destroy());
  await upstream.next();
  const before = readFileSync(journal, 'utf8');

  const second = await start();
  const { message } = await second.logged((line) => String(line['message']).startsWith('Another process has'));
  assert.match(String(message), /give each pod a volume of its own \(spec\.sidecar\.stateVolume\)$/);
  const ofSecond = await serve(second);
  // A target of the network gets it from memory.
  await until('the record of the second', () => (receiver.stored.has(ofSecond) ? true : undefined));
  await second.logged((line) => line['target'] === 'kept' && String(line['message']).includes('records wait'));
  // The first may still write to it; nobody else does, or begins it anew.
  const after = readFileSync(journal, 'utf8');
  assert.ok(after.startsWith(before) && !after.includes(ofSecond), after);
  assert.ok(!written().includes(ofSecond));
  assert.doesNotMatch(second.ownLog, /left open/);

  first.signal('SIGKILL');
  await first.exited;
  await second.logged((line) => String(line['message']).startsWith('The state directory is free'));
  await second.logged((line) => String(line['message']).startsWith('Found exchanges'));
  const { end, id } = await second.record((record) => record.end === 'killed');
  assert.ok(before.includes(id) && end === 'killed');
  await until('both records in the file', () =>
    written().includes(ofSecond) && written().includes(id) ? true : undefined,
  );
  const later = await serve(second);
  assert.ok(readFileSync(journal, 'utf8').includes(later));
  assert.equal(written().split(ofFirst).length - 1 > 0, true);
});
