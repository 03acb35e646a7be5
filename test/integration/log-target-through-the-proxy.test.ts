/** Promise: one proxy brings each exchange to every kind of network target, and a rotated password needs no restart. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { until } from '../support/cluster/wait.ts';
import { collectorProgram, startCollector } from '../support/log-targets/collector.ts';
import { makeTopic, messagesOf } from '../support/log-targets/kafka-messages.ts';
import { kafkaPrograms, startKafka } from '../support/log-targets/kafka-server.ts';
import { postgresPrograms, startPostgres } from '../support/log-targets/postgres-server.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { s3Python, startS3 } from '../support/log-targets/s3-server.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import {
  loggingSpec,
  NumberedLoad,
  numberOfRecord,
  startNumberedUpstream,
  type Targets,
} from '../support/spool-load.ts';

const BUCKET = 'records';
const TOPIC = 'records';
const COUNT = 5;
const password = (): string => `canary-${randomBytes(6).toString('hex')}`;
const key = randomBytes(24);

/** What is missing on this machine, if anything is. */
async function allServers() {
  const found = {
    postgres: await postgresPrograms(),
    kafka: await kafkaPrograms(),
    s3: await s3Python(),
    collector: await collectorProgram(),
  };
  const { postgres, kafka, s3, collector } = found;
  return postgres && kafka && s3 && collector ? { postgres, kafka, s3, collector } : undefined;
}

const programs = await allServers();
const options = { skip: programs === undefined && 'not every server can be installed on this machine' };

async function startServers(t: TestContext, user: string) {
  assert.ok(programs);
  const receiver = await startReceiver(t, { key });
  const postgres = await startPostgres(programs.postgres);
  t.after(() => postgres.remove());
  const kafka = await startKafka(programs.kafka, { name: 'writer', password: user });
  t.after(() => kafka.remove());
  await makeTopic(t, kafka.plain, TOPIC);
  const s3 = await startS3(programs.s3, [BUCKET]);
  t.after(() => s3.stop());
  const collector = await startCollector(programs.collector);
  t.after(() => collector.stop());
  await postgres.query(`create role writer login password '${user}'`);
  await postgres.query('grant all on schema public to writer');
  return { receiver, postgres, kafka, s3, collector };
}

type Servers = Awaited<ReturnType<typeof startServers>>;

const secret = (name: string, key: string) => ({ secret: { name, key } });

function targetsOf({ receiver, kafka, s3, collector }: Servers): Targets {
  return [
    { name: 'http', http: { url: receiver.url, gzip: true, hmac: secret('http', 'key') } },
    { name: 'postgres', postgres: { dsn: secret('pg', 'dsn'), tls: { ca: secret('pg', 'ca') } } },
    { name: 'otlp', otlp: { url: collector.url } },
    {
      name: 'kafka',
      kafka: {
        brokers: [kafka.secure],
        topic: TOPIC,
        tls: { ca: secret('kafka', 'ca') },
        sasl: { mechanism: 'SCRAM-SHA-256', username: secret('kafka', 'user'), password: secret('kafka', 'password') },
      },
    },
    {
      name: 's3',
      s3: {
        endpoint: s3.endpoint,
        bucket: BUCKET,
        pathStyle: true,
        credentials: { accessKeyId: secret('s3', 'id'), secretAccessKey: secret('s3', 'secret') },
      },
    },
  ];
}

function secretsOf({ postgres, kafka, s3 }: Servers, pgPassword: string, kafkaPassword: string) {
  return {
    http: { key: `whsec_${key.toString('base64')}` },
    pg: { dsn: postgres.dsn('writer', pgPassword), ca: postgres.tls.cert },
    kafka: { user: 'writer', password: kafkaPassword, ca: kafka.tls.cert },
    s3: { id: s3.accessKeyId, secret: s3.secretAccessKey },
  };
}

/** Numbers of the exchanges that each target holds, each once. */
async function held(t: TestContext, { receiver, postgres, kafka, s3, collector }: Servers, count: number) {
  const texts = {
    http: [...receiver.stored.values()].map((record) => JSON.stringify(record)),
    postgres: (await postgres.query('select record from sluice_records')).map(({ record }) => JSON.stringify(record)),
    otlp: collector.requests.flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) =>
        scopeLogs.flatMap(({ logRecords }) => logRecords.map(({ body }) => body.stringValue ?? '')),
      ),
    ),
    kafka: (await messagesOf(t, kafka.plain, TOPIC, count)).map(({ value }) => value),
    s3: (await Promise.all((await s3.keys(BUCKET)).map((name) => s3.read(BUCKET, name)))).flatMap((object) =>
      zstdDecompressSync(object).toString().trimEnd().split('\n'),
    ),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([kind, lines]) => [
      kind,
      lines.map((line) => numberOfRecord(JSON.parse(line) as Record<string, unknown>)).sort((a, b) => a - b),
    ]),
  );
}

test(
  'every kind of network target gets every exchange, before and after its password was rotated',
  options,
  async (t) => {
    const [before, after] = [password(), password()];
    const servers = await startServers(t, before);
    const upstream = await startNumberedUpstream(t);
    const load = new NumberedLoad();
    t.after(() => load.close());
    const spec = loggingSpec(upstream.url, targetsOf(servers));
    const proxy = await ProxyProcess.start(spec, { secrets: secretsOf(servers, before, before) });
    t.after(() => proxy.stop());
    const arrived = (count: number) =>
      until(`${count} records at each target`, async () => {
        const metrics = (await proxy.admin('/metrics')).text;
        const delivered = [
          ...metrics.matchAll(/^sluice_log_records_total\{target="([a-z0-9]+)",result="delivered"\} (\d+)/gm),
        ];
        return delivered.filter(([, , records]) => Number(records) >= count).length === 5 || undefined;
      });
    await load.some(proxy, COUNT);
    await arrived(COUNT);

    await servers.postgres.query(`alter role writer password '${after}'`);
    await servers.postgres.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'writer'");
    await load.some(proxy, 1);
    await proxy.logged(({ message, target }) => target === 'postgres' && /Cannot|fail/i.test(String(message)));
    await proxy.apply(spec, secretsOf(servers, after, before));
    await load.some(proxy, COUNT - 1);
    await arrived(2 * COUNT);

    const all = Array.from({ length: 2 * COUNT }, (_, n) => n);
    const kinds = { http: all, postgres: all, otlp: all, kafka: all, s3: all };
    assert.deepEqual(await held(t, servers, 2 * COUNT), kinds);
    for (const hidden of [before, after, key.toString('base64'), servers.s3.secretAccessKey]) {
      assert.ok(!proxy.output.includes(hidden), 'a secret is in the output');
    }
  },
);
