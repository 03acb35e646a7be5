/** Promise: a target that is down, slow, hanging or picky costs no record and holds back nobody; what is left waits for the next start. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { metricSum } from '../support/clients/records.ts';
import { until } from '../support/cluster/wait.ts';
import { type Receiver, startReceiver } from '../support/log-targets/receiver.ts';
import { ProxyProcess, type Secrets } from '../support/proxy-process.ts';
import { listedAsDropped, readSpool, spoolFile } from '../support/spool-file.ts';
import {
  loggingSpec,
  NumberedLoad,
  numberOfRecord,
  startNumberedUpstream,
  type Targets,
} from '../support/spool-load.ts';

interface Rig {
  readonly state: string;
  readonly load: NumberedLoad;
  readonly start: (
    targets: Targets,
    spool?: { maxBytes?: string; maxAge?: string },
    secrets?: Secrets,
  ) => Promise<ProxyProcess>;
  readonly apply: (proxy: ProxyProcess, targets: Targets, secrets?: Secrets) => Promise<void>;
}

async function rigOf(t: TestContext): Promise<Rig> {
  const state = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
  const upstream = await startNumberedUpstream(t);
  const load = new NumberedLoad();
  t.after(() => {
    load.close();
    rmSync(state, { recursive: true, force: true });
  });
  return {
    state,
    load,
    start: async (targets, spool = {}, secrets = {}) => {
      const env = { SLUICE_STATE_DIR: state };
      const proxy = await ProxyProcess.start(loggingSpec(upstream.url, targets, spool), { env, secrets });
      t.after(() => proxy.stop());
      return proxy;
    },
    apply: (proxy, targets, secrets) => proxy.apply(loggingSpec(upstream.url, targets), secrets),
  };
}

const http = (name: string, url: string, more: object = {}): Targets[number] => ({ name, http: { url, ...more } });
const numbersOf = ({ stored }: Receiver): number[] => [...stored.values()].map(numberOfRecord).sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function received(receiver: Receiver, count: number): Promise<void> {
  await until(`${count} records`, () => (receiver.stored.size >= count ? true : undefined));
  assert.deepEqual(numbersOf(receiver), upTo(count));
}

async function end(proxy: ProxyProcess): Promise<Record<string, unknown>> {
  proxy.signal('SIGTERM');
  const closed = await proxy.logged(({ message }) => String(message).startsWith('Log closed'));
  assert.equal(await proxy.exited, 0);
  return closed;
}

/** A port that takes connections and does with them what it is told. */
async function startSocket(t: TestContext, behaviour: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    behaviour(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('a target that is down gets everything when it is up again', async (t) => {
  const { load, start } = await rigOf(t);
  const first = await startReceiver(t);
  await first.stop();
  const proxy = await start([http('store', first.url)]);
  await load.some(proxy, 20);
  await proxy.logged(
    ({ message, target }) => String(message).startsWith('Cannot write to log target') && target === 'store',
  );
  assert.equal(await metricSum(proxy, 'sluice_log_spool_records'), 20);
  const second = await startReceiver(t, { port: Number(new URL(first.url).port) });
  await received(second, 20);
  await proxy.logged(({ message }) => message === 'Log target takes records again');
  await until('the gauge to fall', async () =>
    (await metricSum(proxy, 'sluice_log_spool_records')) === 0 ? true : undefined,
  );
  assert.equal(await metricSum(proxy, 'sluice_log_records_total'), 20);
});

test('targets that answer 500, hang, or accept and close hold back nobody else', async (t) => {
  const { load, start, state } = await rigOf(t);
  const good = await startReceiver(t);
  const broken = await startReceiver(t);
  broken.fault = () => ({ status: 500 });
  const hanging = await startSocket(t, () => {});
  const closing = await startSocket(t, (socket) => socket.once('data', () => socket.destroy()));
  const names = ['broken', 'hanging', 'closing'];
  const timeout = '500ms';
  const proxy = await start([
    http('broken', broken.url),
    http('hanging', hanging, { timeout }),
    http('closing', closing),
    http('good', good.url),
  ]);
  await load.some(proxy, 30);
  await received(good, 30);
  for (const name of names) {
    await proxy.logged(
      ({ message, target }) => String(message).startsWith('Cannot write to log target') && target === name,
    );
  }
  await end(proxy);
  const accounts = readSpool(state);
  assert.deepEqual(accounts['good'], { seen: 30, delivered: 30, waiting: 0, dropped: {} });
  for (const name of names)
    assert.deepEqual(accounts[name], { seen: 30, delivered: 0, waiting: 30, dropped: {} }, name);
});

test('a target that is taken out of the config and put back at once goes on with what waits', async (t) => {
  const { load, start, apply, state } = await rigOf(t);
  const [store, other] = [await startReceiver(t), await startReceiver(t)];
  store.fault = () => ({ status: 503 });
  const targets = [http('store', store.url), http('other', other.url)];
  const proxy = await start(targets);
  await load.some(proxy, 5);
  await received(other, 5);
  await apply(proxy, targets.slice(1));
  await load.some(proxy, 2);
  await received(other, 7);
  await apply(proxy, targets);
  store.fault = () => undefined;
  await load.some(proxy, 3);
  await until('all but what came meanwhile', () => (store.stored.size >= 8 ? true : undefined));
  assert.deepEqual(numbersOf(store), [0, 1, 2, 3, 4, 7, 8, 9]);
  await end(proxy);
  assert.deepEqual(readSpool(state)['store'], { seen: 8, delivered: 8, waiting: 0, dropped: {} });
});

test('one record that a target refuses is dropped alone and counted', async (t) => {
  const { load, start, state } = await rigOf(t);
  const receiver = await startReceiver(t);
  receiver.fault = (records) => (records.some((record) => numberOfRecord(record) === 13) ? { status: 400 } : undefined);
  const proxy = await start([http('store', receiver.url)]);
  await load.some(proxy, 30);
  await until('the others', () => (receiver.stored.size === 29 ? true : undefined));
  await end(proxy);
  assert.deepEqual(
    numbersOf(receiver),
    upTo(30).filter((number) => number !== 13),
  );
  assert.deepEqual(readSpool(state)['store'], { seen: 30, delivered: 29, waiting: 0, dropped: { refused: 1 } });
});

test('what a stopped proxy could not deliver is delivered by the next one', async (t) => {
  const { load, start, state } = await rigOf(t);
  const receiver = await startReceiver(t);
  receiver.fault = () => ({ status: 503 });
  const first = await start([http('store', receiver.url)]);
  await load.some(first, 25);
  const closed = await end(first);
  assert.equal(closed['message'], 'Log closed; what waits stays in the spool for the next start');
  assert.deepEqual(closed['targets'], { store: { delivered: 0, waiting: 25, dropped: {} } });
  receiver.fault = () => undefined;
  const second = await start([http('store', receiver.url)]);
  await received(receiver, 25);
  assert.equal((await end(second))['message'], 'Log closed');
  assert.deepEqual(readSpool(state)['store'], { seen: 25, delivered: 25, waiting: 0, dropped: {} });
});

test('SIGTERM delivers what was made, without waiting for more', async (t) => {
  const { load, start } = await rigOf(t);
  const receiver = await startReceiver(t);
  const proxy = await start([http('store', receiver.url)]);
  await load.some(proxy, 10);
  const closed = await end(proxy);
  assert.deepEqual(closed['targets'], { store: { delivered: 10, waiting: 0, dropped: {} } });
  assert.deepEqual(numbersOf(receiver), upTo(10));
});

test('a spool that was cut off is set aside, and the proxy goes on with a new one', async (t) => {
  const { load, start, state } = await rigOf(t);
  const receiver = await startReceiver(t);
  receiver.fault = () => ({ status: 503 });
  const first = await start([http('store', receiver.url)]);
  await load.some(first, 30);
  await end(first);
  truncateSync(spoolFile(state), 20_000);
  receiver.fault = () => undefined;
  const second = await start([http('store', receiver.url)]);
  const said = await second.logged(({ message }) => String(message).startsWith('Found the spool damaged'));
  assert.equal(said['level'], 'error');
  await load.one(second);
  await until('the new record', () => (receiver.stored.size > 0 ? true : undefined));
  assert.deepEqual(numbersOf(receiver), [30]);
  const { text } = await second.admin('/metrics');
  assert.match(text, /^sluice_log_spool_events_total\{event="set_aside"\} 1$/m);
  assert.equal(readdirSync(join(state, 'spool')).filter((name) => /^spool\.db\.corrupt-\d+$/.test(name)).length, 1);
});

test('a full spool keeps who and when of the oldest, then drops the oldest, and counts both', async (t) => {
  const { load, start, state } = await rigOf(t);
  const receiver = await startReceiver(t);
  receiver.fault = () => ({ status: 503 });
  const proxy = await start([http('store', receiver.url)], { maxBytes: '64Ki' });
  await load.some(proxy, 60);
  // A record that is dropped while it is being sent counts as dropped, whatever the target says of it then.
  await until('every record to be kept or dropped', async () => {
    const kept = await metricSum(proxy, 'sluice_log_spool_records');
    return kept + (await metricSum(proxy, 'sluice_log_records_total')) === 60 ? true : undefined;
  });
  const stripped = /^sluice_log_spool_events_total\{event="stripped"\} (\d+)$/m;
  await until('bodies to be taken out', async () =>
    Number(stripped.exec((await proxy.admin('/metrics')).text)?.[1]) > 40 ? true : undefined,
  );
  // What was on its way to the spool's thread is there by then, and what is being sent was read after it.
  const attempts = receiver.deliveries.length;
  await until('two more attempts', () => (receiver.deliveries.length >= attempts + 2 ? true : undefined));
  receiver.fault = () => undefined;
  await until('the rest', async () => ((await metricSum(proxy, 'sluice_log_spool_records')) === 0 ? true : undefined));
  await end(proxy);
  const { seen, delivered, waiting, dropped } = readSpool(state)['store'] ?? assert.fail();
  assert.deepEqual([seen, waiting], [60, 0]);
  assert.equal(delivered, receiver.stored.size);
  assert.deepEqual(dropped, { spool_full: 60 - delivered });
  const listed = listedAsDropped(state).map(({ id }) => id);
  // A sixteenth of so small a spool holds no more ids.
  assert.equal(new Set(listed).size, Math.min(32, 60 - delivered));
  assert.ok(!listed.some((id) => receiver.stored.has(id)));
  assert.deepEqual(numbersOf(receiver), upTo(60).slice(-delivered));
  const bodies = [...receiver.stored.values()].map(
    ({ request }) => (request as { body: { text?: string; truncated: boolean } }).body,
  );
  assert.ok(bodies.some(({ text }) => text === undefined) && bodies.some(({ text }) => text !== undefined));
  for (const { text, truncated } of bodies) assert.equal(truncated, text === undefined);
});

test('a key that changed is used without a restart', async (t) => {
  const { load, start, apply } = await rigOf(t);
  const receiver = await startReceiver(t, { authorization: 'Bearer the-new-key' });
  const credential = { secret: { name: 'store', key: 'key', header: 'authorization' } };
  const targets = [http('store', receiver.url, { credential })];
  const proxy = await start(targets, {}, { store: { key: 'the-old-key' } });
  await load.some(proxy, 5);
  await proxy.logged(({ message }) => String(message).startsWith('Cannot write to log target'));
  await apply(proxy, targets, { store: { key: 'the-new-key' } });
  await received(receiver, 5);
  assert.doesNotMatch(proxy.output, /the-(old|new)-key/);
});
