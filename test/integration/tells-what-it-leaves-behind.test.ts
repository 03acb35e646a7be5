/** Promise: a proxy that ends says in its container's termination message how many records each target did not get, even when it is killed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseRemainder, type Remainder } from '../../contract/remainder.ts';
import { until } from '../support/cluster/wait.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { loggingSpec, NumberedLoad, startNumberedUpstream, type Targets } from '../support/spool-load.ts';

interface Rig {
  readonly proxy: ProxyProcess;
  readonly load: NumberedLoad;
  readonly message: () => Remainder | undefined;
  readonly text: () => string;
}

async function rigOf(t: TestContext, targets: Targets, isAsked = true): Promise<Rig> {
  const state = mkdtempSync(join(tmpdir(), 'sluice-remainder-'));
  const file = join(state, 'termination-log');
  writeFileSync(file, '');
  const upstream = await startNumberedUpstream(t);
  const load = new NumberedLoad();
  const env = { SLUICE_STATE_DIR: state, ...(isAsked && { SLUICE_TERMINATION_MESSAGE_FILE: file }) };
  const proxy = await ProxyProcess.start(loggingSpec(upstream.url, targets, {}), { env });
  t.after(async () => {
    load.close();
    await proxy.stop();
    rmSync(state, { recursive: true, force: true });
  });
  const text = (): string => readFileSync(file, 'utf8');
  return { proxy, load, text, message: () => parseRemainder(text()) };
}

/** A target that takes connections and never answers. */
async function startHanging(t: TestContext): Promise<string> {
  const server = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('a target that is down and one that is up: the message names the first with its count, and nothing else', async (t) => {
  const good = await startReceiver(t);
  const down = await startReceiver(t);
  await down.stop();
  const { proxy, load, message, text } = await rigOf(t, [
    { name: 'down', http: { url: down.url } },
    { name: 'good', http: { url: good.url } },
  ]);
  await load.some(proxy, 12);
  assert.equal(text(), '', 'nothing is said before the end');
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
  assert.deepEqual(message(), { final: true, targets: [{ name: 'down', waiting: 12, dropped: 0 }] });
  assert.doesNotMatch(text(), /127\.0\.0\.1|http/);
});

test('a proxy that is killed while it stops has said what waited', async (t) => {
  const { proxy, load, message } = await rigOf(t, [{ name: 'hanging', http: { url: await startHanging(t) } }]);
  await load.some(proxy, 9);
  proxy.signal('SIGTERM');
  await until('its first word', () => message());
  proxy.signal('SIGKILL');
  await proxy.exited;
  assert.deepEqual(message(), { final: false, targets: [{ name: 'hanging', waiting: 9, dropped: 0 }] });
});

test('a proxy that cannot start says why, where kubectl describe shows it', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const folder = mkdtempSync(join(tmpdir(), 'sluice-remainder-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'termination-log');
  writeFileSync(file, '');
  const env = {
    SLUICE_LISTEN_PORT: String((taken.address() as AddressInfo).port),
    SLUICE_TERMINATION_MESSAGE_FILE: file,
  };
  await assert.rejects(ProxyProcess.start(loggingSpec('http://127.0.0.1:1', [], {}), { env }));
  assert.match(readFileSync(file, 'utf8'), /^Cannot start the sidecar: .*EADDRINUSE/);
});

test('a proxy that ends with everything delivered says that nothing is left', async (t) => {
  const good = await startReceiver(t);
  const { proxy, load, message } = await rigOf(t, [{ name: 'good', http: { url: good.url } }]);
  await load.some(proxy, 5);
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
  assert.deepEqual(message(), { final: true, targets: [] });
});

test('a proxy that is not told of the file writes none', async (t) => {
  const down = await startReceiver(t);
  await down.stop();
  const { proxy, load, text } = await rigOf(t, [{ name: 'down', http: { url: down.url } }], false);
  await load.some(proxy, 2);
  proxy.signal('SIGTERM');
  assert.equal(await proxy.exited, 0);
  assert.equal(text(), '');
});
