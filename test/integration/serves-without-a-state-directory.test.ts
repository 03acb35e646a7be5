/** Promise: a state directory that cannot be made, wherever it is said to lie, holds back no start, no stream and no stop, and the log says what is missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesRequest, ProxyProcess, simpleSpec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

test('a sidecar whose state directory cannot be made serves, says so, and drains', async (t) => {
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const logging = {
    targets: [
      { name: 'stdout', stdout: {} },
      { name: 'kept', file: { path: 'records.ndjson' } },
      { name: 'store', http: { url: 'http://127.0.0.1:1/' } },
    ],
    audit: { enabled: true },
  };
  const spec = { ...simpleSpec(upstream.url), logging };
  // A directory that is there and takes no children, as if it were not there itself.
  const proxy = await ProxyProcess.start(spec, { env: { SLUICE_STATE_DIR: '/proc/sluice/state' } });
  t.after(() => proxy.stop());
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  await (await upstream.next()).reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.destroy();
  assert.equal((await proxy.takeRecord()).end, 'complete');
  for (const said of ['Cannot write the journal', 'Cannot write the spool', 'Cannot write to log target'])
    await proxy.logged((line) => String(line['message']).startsWith(said));
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
});
