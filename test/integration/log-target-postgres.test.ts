/** Promise: the `postgres` target keeps every record once in a real PostgreSQL, whatever happens in between, and never shows a secret. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import type { PostgresTarget } from '#contract/compiled.ts';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import { type RecordSink, RefusedError, type SinkRecord } from '../../proxy/log/targets/sink.ts';
import { startDeafServer } from '../support/deaf-server.ts';
import { type PostgresServer, postgresPrograms, startPostgres } from '../support/log-targets/postgres-server.ts';
import { sampleId, sampleMembers, sampleRecord, sampleRecords } from '../support/log-targets/sample-records.ts';
import { refusal } from '../support/log-targets/writes.ts';
import { selfSigned } from '../support/self-signed.ts';

const PASSWORD = `canary/${randomBytes(6).toString('hex')}?#`;
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

interface Places {
  readonly dsn?: string;
  readonly ca?: string;
}

async function opened(
  t: TestContext,
  table: string,
  places: Places = {},
  more: Partial<PostgresTarget> = {},
): Promise<RecordSink> {
  const target = { kind: 'postgres', name: 'store', dsnFile: 'dsn', table, timeoutMs: 20_000, ...more } as const;
  const { dsn = server.dsn('writer', PASSWORD), ca } = places;
  const credentials = new Map([['dsn', dsn]]);
  if (ca !== undefined) credentials.set('ca', ca);
  const sink = await openSink({ ...target, ...(ca !== undefined && { caFile: 'ca' }) }, credentials);
  t.after(() => sink.close());
  return sink;
}

const rowsOf = (table: string) => server.query(`select * from "${table}" order by id`);
const count = async (table: string): Promise<number> => (await rowsOf(table)).length;

test(
  'postgres target: the table is made, and a batch is kept with its columns and whole records',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table);
    await sink.write(sampleRecords(500), never);
    const rows = await rowsOf(table);
    assert.equal(rows.length, 500);
    const { stored_at: storedAt, record, received_at: receivedAt, ...columns } = rows[3] ?? {};
    assert.deepEqual(record, sampleMembers(3));
    assert.ok(storedAt instanceof Date && receivedAt instanceof Date);
    assert.equal(receivedAt.toISOString(), '2026-11-21T10:00:00.003Z');
    assert.deepEqual(columns, {
      id: sampleId(3),
      exchange: sampleId(3),
      sequence: 0,
      partial: false,
      hop: 'sidecar',
      chained: false,
      namespace: 'agents',
      pod: 'planner-6d5f',
      route: 'opus',
      upstream: 'claude',
      model: 'claude-opus-5-20260801',
      agent: 'architect',
      status: 200,
      stream_end: 'complete',
      duration_ms: 4121.1,
      input_tokens: '12',
      cache_read_tokens: '2000',
      cache_write_tokens: null,
      output_tokens: '311',
      replaced_characters: 0,
    });
  },
);

test('postgres target: a record that comes again stays one, within a batch too', options, async (t) => {
  const table = freshTable();
  const sink = await opened(t, table);
  await sink.write(sampleRecords(3), never);
  await sink.write([...sampleRecords(3, 1), sampleRecord(9), sampleRecord(9)], never);
  assert.deepEqual(
    (await rowsOf(table)).map(({ id }) => id),
    [0, 1, 2, 3, 9].map(sampleId),
  );
});

test(
  'postgres target: what jsonb cannot hold is replaced and counted, everything else comes back as it was',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table);
    const text = 'a\0b\ud800c\udc00 \\u0000 \\\\u0000 \u{1f600} \t\r\n\\. \\N';
    await sink.write([sampleRecord(1, { detail: text, route: `r\0${'x'.repeat(9000)}` })], never);
    const [row] = await rowsOf(table);
    const record = row?.['record'] as { detail: string };
    assert.equal(record.detail, text.toWellFormed().replaceAll('\0', '\ufffd'));
    assert.equal(row?.['replaced_characters'], 4);
    assert.equal(row?.['route'], `r\ufffd${'x'.repeat(254)}`);
  },
);

test('postgres target: columns hold what a record says, whatever characters it says it with', options, async (t) => {
  const table = freshTable();
  const sink = await opened(t, table);
  const texts = ['', '\n\\.\n', '\\.', '\x01', '\x01\x02\x01\n\x01', '\r\n\t\v', '\\N \\n', '"a", \'b\'', 'é\u{1f600}'];
  await sink.write(
    texts.map((route, index) => sampleRecord(index + 1, { route })),
    never,
  );
  assert.deepEqual(
    (await rowsOf(table)).map(({ route }) => route),
    texts,
  );
});

test('postgres target: records of many MiB are kept', options, async (t) => {
  const table = freshTable();
  const sink = await opened(t, table);
  await sink.write([sampleRecord(1, { detail: 'x"\\'.repeat(1024 ** 2) })], never);
  assert.equal(await count(table), 1);
});

test(
  'postgres target: one poison record refuses its batch, halves show which one, the connection stays',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table);
    const poison: SinkRecord = { ...sampleRecord(5), id: 'no-uuid-but-content-of-a-record' };
    const error = await refusal(sink.write([...sampleRecords(5), poison, ...sampleRecords(2, 6)], never));
    assert.equal(error.constructor, RefusedError);
    assert.match(error.message, /SQLSTATE 22P02/);
    assert.doesNotMatch(inspect(error), /no-uuid/);
    assert.equal(await count(table), 0, 'nothing of a refused batch is kept');
    const backend = async (): Promise<unknown> => {
      const sql = "select pid from pg_stat_activity where usename = 'writer' and query like $1";
      return server.query(sql, [`%"${table}"%`]);
    };
    await sink.write(sampleRecords(5), never);
    const before = await backend();
    await assert.rejects(sink.write([poison], never), RefusedError);
    await sink.write(sampleRecords(2, 6), never);
    assert.equal(await count(table), 7);
    assert.deepEqual(await backend(), before);
  },
);

test('postgres target: an earlier table gets the columns that it lacks', options, async (t) => {
  const table = freshTable();
  await (await opened(t, table)).write(sampleRecords(1), never);
  await server.query(`alter table ${table} drop column agent, drop column replaced_characters`);
  await (await opened(t, table)).write(sampleRecords(1, 1), never);
  assert.deepEqual(
    (await rowsOf(table)).map((row) => row['agent']),
    [null, 'architect'],
  );
});

test('postgres target: sidecars that start at once make the table together', options, async (t) => {
  const table = freshTable();
  const sinks = await Promise.all([1, 2, 3, 4].map(() => opened(t, table)));
  await Promise.all(sinks.map((sink, index) => sink.write(sampleRecords(10, index * 5), never)));
  assert.equal(await count(table), 25);
});

test(
  'postgres target: a user who may not make the table is told the statement, which then works',
  options,
  async (t) => {
    await server.query(`create role reader login password '${PASSWORD}'`);
    const table = freshTable();
    const sink = await opened(t, table, { dsn: server.dsn('reader', PASSWORD) });
    const error = await refusal(sink.write(sampleRecords(1), never));
    assert.equal(error.constructor.name, 'PostgresSetupError');
    const statement = /may run: (create table .*); and grant select, insert on "(.*?)" to/.exec(error.message);
    assert.ok(statement, error.message);
    await server.query(statement[1] ?? '');
    assert.match((await refusal(sink.write(sampleRecords(1), never))).message, /42501, .*grant select and insert/);
    await server.query(`grant select, insert on "${statement[2]}" to reader`);
    await sink.write(sampleRecords(1), never);
    assert.equal(await count(table), 1);
  },
);

test(
  'postgres target: TLS is used and verified when the connection string or the target asks for it',
  options,
  async (t) => {
    const table = freshTable();
    const ca = server.tls.cert;
    const encrypted = async (): Promise<unknown> => {
      const sql =
        "select bool_or(ssl) as ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'writer' and query like $1";
      return (await server.query(sql, [`%"${table}"%`]))[0]?.['ssl'];
    };
    const other = await opened(t, table, { ca: selfSigned().cert });
    assert.match((await refusal(other.write(sampleRecords(1), never))).message, /signed by none of the authorities in/);
    const unverified = await opened(t, table, { dsn: server.dsn('writer', PASSWORD, '?sslmode=require') });
    assert.match(
      (await refusal(unverified.write(sampleRecords(1), never))).message,
      /Cannot reach PostgreSQL at "127\.0\.0\.1:\d+": DEPTH_ZERO_SELF_SIGNED_CERT/,
    );
    for (const parameters of ['', '?sslmode=require', '?sslmode=verify-ca', '?sslmode=verify-full']) {
      const sink = await opened(t, table, { ca, dsn: server.dsn('writer', PASSWORD, parameters) });
      await sink.write(sampleRecords(1), never);
      assert.equal(await encrypted(), true);
      await sink.close();
    }
    await assert.rejects(
      opened(t, table, { dsn: server.dsn('writer', PASSWORD, '?sslmode=prefer') }),
      /write verify-full/,
    );
  },
);

test(
  'postgres target: a server that stands still is given up when the signal aborts, and at the timeout',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table, {}, { timeoutMs: 300 });
    await sink.write(sampleRecords(1), never);
    const reason = new Error('the spool is closing');
    const stop = new AbortController();
    server.freeze();
    try {
      const writing = sink.write(sampleRecords(1, 1), stop.signal);
      stop.abort(reason);
      await assert.rejects(writing, reason);
      await assert.rejects(
        sink.write(sampleRecords(1, 1), never),
        /^Error: PostgreSQL at "\S+" did not take the records within the target's timeout of 300 ms; look at/,
      );
    } finally {
      server.thaw();
    }
    const patient = await opened(t, table);
    await patient.write(sampleRecords(1, 1), never);
    assert.equal(await count(table), 2);
  },
);

test('postgres target: packets that are dropped are told from a server that stands still', options, async (t) => {
  const place = `127.0.0.1:${await startDeafServer(t)}`;
  const dsn = `postgres://writer@${place}/logs`;
  const sink = await opened(t, freshTable(), { dsn }, { timeoutMs: 50 });
  const message = `Cannot reach PostgreSQL at "${place}": no connection within the target's timeout of 50 ms; look whether it runs, and whether a NetworkPolicy or a firewall keeps us away`;
  await assert.rejects(sink.write(sampleRecords(1), never), { message });
});

test(
  'postgres target: a server that goes down breaks a write, and the next one after it is up works',
  options,
  async (t) => {
    const table = freshTable();
    const sink = await opened(t, table);
    await sink.write(sampleRecords(1), never);
    await server.stop();
    const error = await refusal(sink.write(sampleRecords(1, 1), never));
    assert.equal(error.constructor, Error);
    assert.match(
      (await refusal(sink.write(sampleRecords(1, 1), never))).message,
      /^Cannot reach PostgreSQL at "127\.0\.0\.1:\d+": ECONNREFUSED; start it, or correct the port of its address$/,
    );
    await server.start();
    await sink.write(sampleRecords(1, 1), never);
    assert.equal(await count(table), 2);
  },
);

test('postgres target: no error holds the password', options, async (t) => {
  const table = freshTable();
  const errors: unknown[] = [];
  const wrong = `${PASSWORD}-and-wrong`;
  const dsns = [server.dsn('writer', wrong), server.dsn('nobody', wrong), `${server.dsn('writer', wrong)}-no-database`];
  for (const dsn of [...dsns, `mysql://writer:${wrong}@127.0.0.1/db`, `host=127.0.0.1 password=${wrong}`]) {
    errors.push(await refusal(opened(t, table, { dsn }).then((sink) => sink.write(sampleRecords(1), never))));
  }
  for (const error of errors) {
    const text = inspect(error, { depth: 9, showHidden: true });
    assert.ok(!text.includes('canary') && !text.includes(encodeURIComponent(PASSWORD)), text);
  }
  assert.match(String(errors[0]), /28P01, the password was refused/);
});
