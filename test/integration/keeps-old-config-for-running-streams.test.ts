/** Promise 4: a change cuts nobody. Streams in flight finish on what they started with; a bad config changes nothing but what is said. */
import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CONFIG_FILE } from '../../contract/names.ts';
import { messagesRequest, ProxyProcess, type Spec, simpleSpec, writeConfig } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const DELTA =
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n';
const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

let old: RawUpstream;
let fresh: RawUpstream;
let proxy: ProxyProcess;
const keyed = (url: string): Spec => simpleSpec(url, { credentials: [{ secret: { name: 'key', key: 'k' } }] });

before(async () => {
  [old, fresh] = [await RawUpstream.start(), await RawUpstream.start()];
  proxy = await ProxyProcess.start({} as Spec, { bare: true });
});
after(async () => {
  await proxy.stop();
  await Promise.all([old.close(), fresh.close()]);
});

const revision = async (): Promise<{ revision: string | null; problems: { path: string; message: string }[] }> =>
  JSON.parse((await proxy.admin('/revision')).text);

test('before any config requests get 503 and readiness fails, while both ports accept', async () => {
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.headers['sluice-error']], [503, 'unavailable']);
  assert.equal((await proxy.admin('/readyz')).status, 503);
  assert.equal((await proxy.admin('/healthz')).status, 200);
  assert.match((await revision()).problems[0]?.message ?? '', /config\.json/);
  client.destroy();
});

test('a stream in flight stays on its upstream while new requests go to the new one', async () => {
  await proxy.apply(keyed(old.url), { key: { k: 'old-key' } });
  assert.equal((await proxy.admin('/readyz')).status, 200);
  const running = await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await old.next();
  await exchange.openStream();
  await exchange.chunk(DELTA);
  await running.until((text) => text.includes('text_delta'));
  await proxy.apply(keyed(fresh.url), { key: { k: 'new-key' } });
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  const moved = await fresh.next();
  assert.deepEqual([exchange.header('x-api-key'), moved.header('x-api-key')], ['old-key', 'new-key']);
  await moved.reply(200, '{}');
  await client.answer();
  await exchange.chunk(STOP);
  await exchange.endChunks();
  assert.equal((await running.answer()).body.toString(), DELTA + STOP);
  // The pool of the upstream that is gone closes with its last exchange.
  await exchange.closed;
  for (const used of [running, client]) used.destroy();
  for (let n = 0; n < 2; n += 1) assert.equal((await proxy.takeRecord()).end, 'complete');
});

test('an unchanged upstream keeps its connections over a change of the config', async () => {
  const before = fresh.connections;
  const withRoute: Spec = { ...keyed(fresh.url), routes: [{ name: 'renamed', upstreams: [{ name: 'up' }] }] };
  await proxy.apply(withRoute, { key: { k: 'new-key' } });
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  await (await fresh.next()).reply(200, '{}');
  await client.answer();
  assert.equal((await proxy.takeRecord()).route, 'renamed');
  assert.equal(fresh.connections, before);
  client.destroy();
});

test('a bad config leaves the good one in force and is told everywhere', async () => {
  const { revision: inForce } = await revision();
  await writeFile(join(proxy.directory, CONFIG_FILE), '{"version":1,"name":"llm","routes":5}');
  await proxy.logged(
    (line) => String(line['message']).startsWith('Config refused') && JSON.stringify(line).includes('"routes"'),
  );
  const report = await revision();
  assert.equal(report.revision, inForce);
  assert.ok(report.problems.some(({ path }) => path === 'routes'));
  const client = await RawClient.send(proxy.listenPort, messagesRequest());
  await (await fresh.next()).reply(200, '{}');
  assert.equal((await client.answer()).status, 200);
  client.write('GET /gateway/health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.until((text) => text.includes('"routes"'));
  assert.match(
    (await proxy.admin('/metrics')).text,
    /^sluice_config_reloads_total\{[^}]*(fail|refus|error|false)[^}]*\} [1-9]/m,
  );
  await proxy.takeRecord();
  client.destroy();
});

test('a credential that is missing or cannot be sent is a problem that never shows its value', async () => {
  await proxy.apply(keyed(fresh.url), { key: { k: 'good-key' } });
  await writeConfig(proxy.directory, keyed(fresh.url), { key: { k: 'sk-se\ncret' } }, 99);
  await proxy.logged((line) => JSON.stringify(line).includes('no header may carry'));
  assert.match(JSON.stringify(await revision()), /upstream \\"up\\" holds bytes/);
  assert.doesNotMatch(proxy.output, /sk-se/);
});

test('a swapped symlink, as kubelet does it, is one change; a changed key alone is one too', async () => {
  const { directory } = proxy;
  const deliver = async (name: string, key: string): Promise<void> => {
    await mkdir(join(directory, name));
    await writeConfig(join(directory, name), keyed(fresh.url), { key: { k: key } }, 100);
    await symlink(name, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  const keyNow = async (): Promise<string | undefined> => {
    const client = await RawClient.send(proxy.listenPort, messagesRequest());
    const exchange = await fresh.next();
    await exchange.reply(200, '{}');
    await client.answer();
    await proxy.takeRecord();
    client.destroy();
    return exchange.header('x-api-key');
  };
  await deliver('..1', 'key-one');
  while ((await keyNow()) !== 'key-one');
  await deliver('..2', 'key-two');
  while ((await keyNow()) !== 'key-two');
  await rm(join(directory, '..data'));
});
