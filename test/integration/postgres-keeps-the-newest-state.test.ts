/**
 * Promise: in a real PostgreSQL a record of a running stream is replaced by newer states of it and by no older one, in whatever order
 * they come; a process that is killed in mid-stream leaves the newest state, with the end `killed`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import type { RecordSink, SinkRecord } from '../../proxy/log/targets/sink.ts';
import { until } from '../support/cluster/wait.ts';
import { type PostgresServer, postgresPrograms, startPostgres } from '../support/log-targets/postgres-server.ts';
import { sampleId, sampleMembers, sampleRecord } from '../support/log-targets/sample-records.ts';
import { refusal } from '../support/log-targets/writes.ts';
import { messagesRequest, ProxyProcess, type Spec } from '../support/proxy-process.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawUpstream } from '../support/raw-upstream.ts';

const PASSWORD = 'of-a-test';
const programs = await postgresPrograms();
const options = { skip: programs === undefined && 'PostgreSQL is not there and cannot be installed' };
let server: PostgresServer;
let tables = 0;

before(async () => {
  if (programs === undefined) return;
  server = await startPostgres(programs);
  await server.query(`create role writer login password '${PASSWORD}'`);
  await server.query('grant all on schema public to writer');
});
after(() => server?.remove());

const never = new AbortController().signal;
const freshTable = (): string => `records_${(tables += 1)}`;

async function opened(t: TestContext, table: string, user = 'writer'): Promise<RecordSink> {
  const target = { kind: 'postgres', name: 'store', dsnFile: 'dsn', table, timeoutMs: 20_000 } as const;
  const sink = await openSink(target, new Map([['dsn', server.dsn(user, PASSWORD)]]));
  t.after(() => sink.close());
  return sink;
}

/** A state of record `number`; from the last one on it is over. */
function state(number: number, sequence: number, last = 3): SinkRecord {
  const partial = sequence < last;
  const { end, ...known } = sampleMembers(number, {
    sequence,
    detail: `state ${sequence}`,
    ...(partial && { partial }),
  });
  const json = Buffer.from(JSON.stringify(partial ? known : { ...known, end }));
  return { id: sampleId(number), ...(sequence > 0 && { sequence }), json };
}

async function rowsOf(table: string): Promise<unknown[]> {
  const rows = await server.query(`select id, sequence, partial, stream_end, record from "${table}" order by id`);
  return rows.map(({ id, sequence, partial, stream_end: end, record }) => {
    assert.equal(
      (record as { detail?: string }).detail,
      `state ${String(sequence)}`,
      'columns and record are of one state',
    );
    return [id, sequence, partial, end];
  });
}

test('a newer state replaces an older one, with all its columns and its record', options, async (t) => {
  const table = freshTable();
  const sink = await opened(t, table);
  const first = async (): Promise<unknown> =>
    (await server.query(`select stored_at from "${table}"`))[0]?.['stored_at'];
  await sink.write([state(1, 0)], never);
  assert.deepEqual(await rowsOf(table), [[sampleId(1), 0, true, null]]);
  const storedAt = await first();
  await sink.write([state(1, 1)], never);
  assert.deepEqual(await rowsOf(table), [[sampleId(1), 1, true, null]]);
  assert.ok(Number(await first()) > Number(storedAt), 'stored_at is of the state');
  await sink.write([state(1, 3)], never);
  assert.deepEqual(await rowsOf(table), [[sampleId(1), 3, false, 'complete']]);
});

test(
  'what comes again in the wrong order overwrites nothing newer, across batches and within one',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table);
    const whole = [[sampleId(1), 3, false, 'complete']];
    await sink.write([state(1, 1), state(1, 3), state(1, 0), state(1, 2)], never);
    assert.deepEqual(await rowsOf(table), whole);
    for (const sequence of [2, 0, 1]) await sink.write([state(1, sequence)], never);
    await sink.write([state(1, 2), state(1, 1)], never);
    assert.deepEqual(await rowsOf(table), whole);
    await sink.write([state(2, 2), sampleRecord(3, { sequence: 0, detail: 'state 0' }), state(1, 1)], never);
    await sink.write([state(2, 1), state(2, 2)], never);
    assert.deepEqual(await rowsOf(table), [
      ...whole,
      [sampleId(2), 2, true, null],
      [sampleId(3), 0, false, 'complete'],
    ]);
  },
);

test('batches that come at once over several connections leave the newest state of each record', options, async (t) => {
  const table = freshTable();
  const sinks = await Promise.all([1, 2, 3, 4].map(() => opened(t, table)));
  const numbers = Array.from({ length: 20 }, (_, number) => number);
  const writes = sinks.map(async (sink, index) => {
    // Each in another order of states, all in one order of records, as rows are locked in it.
    for (const turn of [0, 1, 2, 3])
      await sink.write(
        numbers.map((number) => state(number, (turn + index) % 4)),
        never,
      );
  });
  await Promise.all(writes);
  assert.deepEqual(
    await rowsOf(table),
    numbers.map((number) => [sampleId(number), 3, false, 'complete']),
  );
});

test('a table without these columns gets them, and what is in it counts as whole', options, async (t) => {
  const table = freshTable();
  await (await opened(t, table)).write([sampleRecord(1, { detail: 'state 0' })], never);
  await server.query(`alter table ${table} drop column sequence, drop column partial`);
  await (await opened(t, table)).write([state(2, 1)], never);
  assert.deepEqual(await rowsOf(table), [
    [sampleId(1), 0, false, 'complete'],
    [sampleId(2), 1, true, null],
  ]);
});

test('the right to update is needed for states of running streams alone, and the error says so', options, async (t) => {
  const table = freshTable();
  await (await opened(t, table)).write([sampleRecord(1, { detail: 'state 0' })], never);
  await server.query(`create role inserter login password '${PASSWORD}'`);
  await server.query(`grant select, insert on "${table}" to inserter`);
  const sink = await opened(t, table, 'inserter');
  await sink.write([sampleRecord(2, { detail: 'state 0' })], never);
  const error = await refusal(sink.write([state(3, 1)], never));
  assert.match(error.message, /42501, .*update, for capture\.partials/);
  await server.query(`grant update on "${table}" to inserter`);
  await sink.write([state(3, 1)], never);
  assert.equal((await rowsOf(table)).length, 3);
});

const said = (text: string): string =>
  `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`;

test('kill -9 in mid-stream leaves the newest state, which ends as killed', options, async (t) => {
  const table = freshTable();
  const upstream = await RawUpstream.start();
  t.after(() => upstream.close());
  const state = mkdtempSync(join(tmpdir(), 'sluice-killed-'));
  process.once('exit', () => rmSync(state, { recursive: true, force: true, maxRetries: 5 }));
  const spec: Spec = {
    upstreams: [{ name: 'up', dialect: 'anthropic', url: upstream.url }],
    routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
    logging: {
      capture: { partials: true, partialsEvery: '1s' },
      targets: [{ name: 'store', postgres: { dsn: { secret: { name: 'pg', key: 'dsn' } }, table } }],
    },
  };
  const secrets = { pg: { dsn: server.dsn('writer', PASSWORD) } };
  const start = async (): Promise<ProxyProcess> => {
    const proxy = await ProxyProcess.start(spec, { secrets, env: { SLUICE_STATE_DIR: state } });
    t.after(() => proxy.stop());
    return proxy;
  };
  const row = (condition: string): Promise<Record<string, unknown>> =>
    until(condition, async () => {
      const text = "record #>> '{response,body,text}' as text";
      const columns = `id, sequence, partial, stream_end, route, ${text}`;
      const all = await server.query(`select ${columns}, (${condition}) as known from "${table}"`);
      assert.ok(all.length <= 1, 'one row');
      if (!all[0]?.['known']) return undefined;
      const { known: _, ...columnsOfIt } = all[0];
      return columnsOfIt;
    });

  const proxy = await start();
  await RawClient.send(proxy.listenPort, messagesRequest());
  const exchange = await upstream.next();
  await exchange.openStream();
  await exchange.chunk(said('the first words'));
  await row("partial and record::text like '%first words%'");
  await exchange.chunk(said('the last words'));
  const last = await row("partial and record::text like '%last words%'");
  assert.deepEqual([last['stream_end'], last['route']], [null, 'all']);
  await proxy.stop();
  await start();
  const killed = await row('not partial');
  assert.deepEqual(killed, {
    id: last['id'],
    sequence: Number(last['sequence']) + 1,
    partial: false,
    stream_end: 'killed',
    route: 'all',
    text: said('the first words') + said('the last words'),
  });
  const late = await opened(t, table);
  const older = { ...sampleMembers(1, { partial: true }), id: killed['id'], sequence: last['sequence'] };
  const json = Buffer.from(JSON.stringify(older));
  await late.write([{ id: String(killed['id']), sequence: Number(last['sequence']), json }], never);
  assert.deepEqual(await row('not partial'), killed, 'an older state that comes late changes nothing');
});
