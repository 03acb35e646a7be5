/** Promise: the `kafka` target brings every record to a real broker under its id, tells refusals from outages, and never shows a secret. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import type { KafkaTarget } from '#contract/compiled.ts';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import { type RecordSink, RefusedError } from '../../proxy/log/targets/sink.ts';
import { makeTopic, messagesOf } from '../support/log-targets/kafka-messages.ts';
import { type KafkaServer, kafkaPrograms, startKafka } from '../support/log-targets/kafka-server.ts';
import { sampleId, sampleMembers, sampleRecord, sampleRecords } from '../support/log-targets/sample-records.ts';
import { refusal } from '../support/log-targets/writes.ts';

const USER = { name: 'writer', password: `canary-${randomBytes(6).toString('hex')}` };
const programs = await kafkaPrograms();
const options = { skip: programs === undefined && 'Java or Maven is not there and cannot be installed' };
const never = new AbortController().signal;
let server: KafkaServer;
let topics = 0;

before(async () => {
  if (programs !== undefined) server = await startKafka(programs, USER);
});
after(() => server?.remove());

async function freshTopic(t: TestContext): Promise<string> {
  const topic = `records-${(topics += 1)}`;
  await makeTopic(t, server.plain, topic);
  return topic;
}

interface Secrets {
  readonly password?: string;
  readonly ca?: string;
}

async function opened(
  t: TestContext,
  topic: string,
  more: Partial<KafkaTarget> = {},
  secrets: Secrets = {},
): Promise<RecordSink> {
  const place = { brokers: [server.plain], topic, tls: false, timeoutMs: 20_000 };
  const { password = USER.password, ca = server.tls.cert } = secrets;
  const credentials = new Map([
    ['user', USER.name],
    ['password', password],
    ['ca', ca],
  ]);
  const sink = await openSink({ kind: 'kafka', name: 'store', ...place, ...more }, credentials);
  t.after(() => sink.close());
  return sink;
}

test(
  'kafka target: every record is a message under its id, in the same partition when it comes again',
  options,
  async (t) => {
    const topic = await freshTopic(t);
    const sink = await opened(t, topic);
    await sink.write(sampleRecords(20), never);
    const messages = await messagesOf(t, server.plain, topic, 20);
    assert.deepEqual(
      messages.map(({ key }) => key),
      Array.from({ length: 20 }, (_, n) => sampleId(n)),
    );
    assert.deepEqual(
      messages.map(({ value }) => JSON.parse(value) as unknown),
      Array.from({ length: 20 }, (_, n) => sampleMembers(n)),
    );
    await sink.write([sampleRecord(3, { status: 500 })], never);
    const again = (await messagesOf(t, server.plain, topic, 21)).filter(({ key }) => key === sampleId(3));
    assert.equal(new Set(again.map(({ partition }) => partition)).size, 1);
    assert.equal(again.length, 2);
  },
);

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
  test(`kafka target: ${mechanism} over TLS that is verified`, options, async (t) => {
    const topic = await freshTopic(t);
    const sasl = { mechanism, usernameFile: 'user', passwordFile: 'password' };
    const secure = { brokers: [server.secure], tls: true, sasl };
    await (await opened(t, topic, { ...secure, caFile: 'ca' })).write(sampleRecords(1), never);
    assert.equal((await messagesOf(t, server.plain, topic, 1)).length, 1);
    const wrong = { password: `${USER.password}-wrong` };
    const errors = [
      await refusal((await opened(t, topic, secure)).write(sampleRecords(1), never)),
      await refusal((await opened(t, topic, { ...secure, caFile: 'ca' }, wrong)).write(sampleRecords(1), never)),
    ];
    const at = `Cannot write to Kafka at "${server.secure}": `;
    const untrusted = `${at}DEPTH_ZERO_SELF_SIGNED_CERT; name the authority that signed its certificate in tls.ca`;
    assert.equal(errors[0]?.message, untrusted);
    assert.match(errors[1]?.message ?? '', /check user name and password in the Secret/);
    for (const error of errors) assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes('canary'));
  });
}

test(
  "kafka target: a record beyond the brokers' bound is refused, and one that fits compressed is not",
  options,
  async (t) => {
    const topic = await freshTopic(t);
    const sink = await opened(t, topic);
    const large = randomBytes(1_500_000).toString('base64');
    const error = await refusal(sink.write([sampleRecord(1, { detail: large })], never));
    assert.equal(error.constructor, RefusedError);
    assert.match(error.message, /MESSAGE_TOO_LARGE/);
    await sink.write([sampleRecord(2, { detail: 'x'.repeat(3_000_000) })], never);
    const [message] = await messagesOf(t, server.plain, topic, 1);
    assert.equal(message?.key, sampleId(2));
  },
);

test('kafka target: a topic that is not there is repeated, and taken once it is', options, async (t) => {
  const sink = await opened(t, 'not-there');
  const error = await refusal(sink.write(sampleRecords(1), never));
  assert.equal(error.constructor, Error);
  assert.match(error.message, /UNKNOWN_TOPIC_OR_PARTITION; create the topic/);
  await makeTopic(t, server.plain, 'not-there', 1);
  await sink.write(sampleRecords(1), never);
});

test(
  'kafka target: a broker that stands still is given up when the signal aborts, and at the timeout',
  options,
  async (t) => {
    const topic = await freshTopic(t);
    const sink = await opened(t, topic);
    await sink.write(sampleRecords(1), never);
    const impatient = await opened(t, topic, { timeoutMs: 300 });
    const stop = new AbortController();
    const reason = new Error('the spool is closing');
    server.freeze();
    try {
      const writing = sink.write(sampleRecords(1, 1), stop.signal);
      stop.abort(reason);
      await assert.rejects(writing, reason);
      const error = await refusal(impatient.write(sampleRecords(1, 1), never));
      assert.match(
        error.message,
        /within the target's timeout of 300 ms; look at|Cannot write to Kafka at "127\.\S+": PLT_KFK/,
      );
    } finally {
      server.thaw();
    }
    await sink.write(sampleRecords(1, 2), never);
  },
);

test(
  'kafka target: a broker that goes down breaks a write, and the next one after it is up works',
  options,
  async (t) => {
    const topic = await freshTopic(t);
    const sink = await opened(t, topic);
    await sink.write(sampleRecords(1), never);
    await server.stop();
    const error = await refusal(sink.write(sampleRecords(1, 1), never));
    assert.equal(error.constructor, Error);
    assert.match(error.message, /Cannot write to Kafka at "127\.\S+": (ECONN|PLT_KFK)/);
    await server.start();
    await sink.write(sampleRecords(1, 2), never);
    assert.deepEqual(
      (await messagesOf(t, server.plain, topic, 2)).map(({ key }) => key),
      [sampleId(0), sampleId(2)],
    );
  },
);
