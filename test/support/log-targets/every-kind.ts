/** A real server for every kind of network target, each behind a cutting proxy, and what each holds in the end. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { type CuttingProxy, cuttingProxy } from '../cutting-proxy.ts';
import type { Secrets } from '../proxy-process.ts';
import type { Targets } from '../spool-load.ts';
import { collectorProgram, startCollector } from './collector.ts';
import { everyMessageOf, makeTopic } from './kafka-messages.ts';
import { kafkaPrograms, startKafka } from './kafka-server.ts';
import { postgresPrograms, startPostgres } from './postgres-server.ts';
import { startReceiver } from './receiver.ts';
import { s3Python, startS3 } from './s3-server.ts';

export const KINDS = ['http', 'postgres', 'otlp', 'kafka', 's3'] as const;
export type Kind = (typeof KINDS)[number];

const BUCKET = 'records';
const TOPIC = 'records';
const PASSWORD = 'writer-of-a-test';
/** Of a hanging target: a batch is given up after this. */
const TIMEOUT = '4s';

export interface Programs {
  readonly postgres: string;
  readonly kafka: NonNullable<Awaited<ReturnType<typeof kafkaPrograms>>>;
  readonly s3: string;
  readonly collector: string;
}

/** @returns undefined when one of them cannot be had on this machine */
export async function everyProgram(): Promise<Programs | undefined> {
  const [postgres, kafka] = [await postgresPrograms(), await kafkaPrograms()];
  const [s3, collector] = [await s3Python(), await collectorProgram()];
  return postgres && kafka && s3 && collector ? { postgres, kafka, s3, collector } : undefined;
}

export type EveryKind = Awaited<ReturnType<typeof startEveryKind>>;

/** @param recordBytes no server takes a longer record, each for a reason of its own */
export async function startEveryKind(t: TestContext, programs: Programs, recordBytes: number) {
  const behind = (url: string): Promise<CuttingProxy> => cuttingProxy(t, new URL(url));
  const receiver = await startReceiver(t);
  const postgres = await startPostgres(programs.postgres);
  t.after(() => postgres.remove());
  const ways: { kafka?: CuttingProxy } = {};
  const user = { name: 'writer', password: PASSWORD };
  const kafka = await startKafka(programs.kafka, user, async (secure) => {
    ways.kafka = await behind(`tcp://${secure}`);
    return ways.kafka.host;
  });
  t.after(() => kafka.remove());
  await makeTopic(t, kafka.plain, TOPIC);
  const s3 = await startS3(programs.s3, [BUCKET]);
  t.after(() => s3.stop());
  const collector = await startCollector(programs.collector, { max_request_body_size: recordBytes });
  t.after(() => collector.stop());
  await postgres.query(`create role writer login password '${PASSWORD}'`);
  await postgres.query('grant all on schema public to writer');
  const proxies: Readonly<Record<Kind, CuttingProxy>> = {
    http: await behind(receiver.url),
    postgres: await behind(`tcp://127.0.0.1:${postgres.port}`),
    otlp: await behind(collector.url),
    kafka: ways.kafka ?? assert.fail('the broker was not told its address'),
    s3: await behind(s3.endpoint),
  };
  receiver.fault = (records) =>
    records.some((record) => JSON.stringify(record).length > recordBytes) ? { status: 413 } : undefined;
  // moto takes whatever comes, where others have their bound.
  proxies.s3.answer = (bytes) => {
    const length = Number(/^PUT [\s\S]*\r\ncontent-length: (\d+)\r\n/i.exec(bytes.toString('latin1'))?.[1]);
    return length > recordBytes ? answer('400 Bad Request', '<Error><Code>EntityTooLarge</Code></Error>') : undefined;
  };
  return { receiver, postgres, kafka, s3, collector, proxies };
}

export function answer(status: string, body = ''): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

const secret = (name: string, key: string) => ({ secret: { name, key } });

export function targetsOf({ proxies }: EveryKind): Targets {
  const timeout = TIMEOUT;
  return [
    { name: 'http', http: { url: `http://${proxies.http.host}/records`, timeout } },
    { name: 'postgres', postgres: { dsn: secret('pg', 'dsn'), tls: { ca: secret('pg', 'ca') }, timeout } },
    { name: 'otlp', otlp: { url: `http://${proxies.otlp.host}`, timeout } },
    {
      name: 'kafka',
      kafka: {
        brokers: [proxies.kafka.host],
        topic: TOPIC,
        tls: { ca: secret('kafka', 'ca') },
        sasl: { mechanism: 'SCRAM-SHA-256', username: secret('kafka', 'user'), password: secret('kafka', 'password') },
        timeout,
      },
    },
    {
      name: 's3',
      s3: {
        endpoint: `http://${proxies.s3.host}`,
        bucket: BUCKET,
        pathStyle: true,
        credentials: { accessKeyId: secret('s3', 'id'), secretAccessKey: secret('s3', 'secret') },
        timeout,
      },
    },
  ];
}

export function secretsOf({ postgres, kafka, s3, proxies }: EveryKind): Secrets {
  const dsn = new URL(postgres.dsn('writer', PASSWORD));
  dsn.host = proxies.postgres.host;
  return {
    pg: { dsn: dsn.href, ca: postgres.tls.cert },
    kafka: { user: 'writer', password: PASSWORD, ca: kafka.tls.cert },
    s3: { id: s3.accessKeyId, secret: s3.secretAccessKey },
  };
}

/** Every record that each holds, as often as it is there. */
export async function contentsOf(
  t: TestContext,
  { receiver, postgres, kafka, s3, collector }: EveryKind,
): Promise<Readonly<Record<Kind, readonly Record<string, unknown>[]>>> {
  const texts: Readonly<Record<Kind, readonly string[]>> = {
    http: [...receiver.stored.values()].map((record) => JSON.stringify(record)),
    postgres: (await postgres.query('select record from sluice_records')).map(({ record }) => JSON.stringify(record)),
    otlp: collector.requests.flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) =>
        scopeLogs.flatMap(({ logRecords }) => logRecords.map(({ body }) => body.stringValue ?? '')),
      ),
    ),
    kafka: (await everyMessageOf(t, kafka.plain, TOPIC)).map(({ value }) => value),
    s3: (await Promise.all((await s3.keys(BUCKET)).map((name) => s3.read(BUCKET, name)))).flatMap((object) =>
      zstdDecompressSync(object).toString().trimEnd().split('\n'),
    ),
  };
  const parsed = Object.entries(texts).map(([kind, lines]) => [
    kind,
    lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  ]);
  return Object.fromEntries(parsed) as Record<Kind, Record<string, unknown>[]>;
}
