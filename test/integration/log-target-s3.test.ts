/** Promise: the `s3` target stores each batch as one object that a repeat overwrites, with requests that a strict server accepts. */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import type { S3Target } from '#contract/compiled.ts';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import { BusyError, type RecordSink, RefusedError } from '../../proxy/log/targets/sink.ts';
import { startReceiver } from '../support/log-targets/receiver.ts';
import { type S3Server, s3Python, startS3 } from '../support/log-targets/s3-server.ts';
import { sampleId, sampleMembers, sampleRecord, sampleRecords } from '../support/log-targets/sample-records.ts';
import { refusal } from '../support/log-targets/writes.ts';

const python = await s3Python();
const options = { skip: python === undefined && 'there is no Python' };
const never = new AbortController().signal;
const BUCKET = 'conversations';
let server: S3Server;

before(async () => {
  if (python !== undefined) server = await startS3(python, [BUCKET, 'other', 'hung']);
});
after(() => server?.stop());

async function opened(
  t: TestContext,
  more: Partial<S3Target> = {},
  secret = server?.secretAccessKey,
): Promise<RecordSink> {
  const place = { endpoint: server?.endpoint ?? '', bucket: BUCKET, prefix: '', region: 'us-east-1', pathStyle: true };
  const files = { accessKeyIdFile: 'id', secretAccessKeyFile: 'secret', timeoutMs: 20_000 };
  const credentials = new Map([
    ['id', server?.accessKeyId ?? 'id'],
    ['secret', secret ?? 'secret'],
    ['session', 'a-session-token'],
  ]);
  const sink = await openSink({ kind: 's3', name: 'store', ...place, ...files, ...more }, credentials);
  t.after(() => sink.close());
  return sink;
}

const linesOf = (object: Buffer): unknown[] =>
  zstdDecompressSync(object)
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('s3 target: a batch is one object of compressed lines, and a repeat overwrites it', options, async (t) => {
  const sink = await opened(t, { prefix: 'team=a/it(s)!*/' });
  await sink.write(sampleRecords(3), never);
  await sink.write(sampleRecords(3), never);
  const keys = await server.keys(BUCKET);
  assert.equal(keys.length, 1);
  const [key = ''] = keys;
  assert.match(
    key,
    new RegExp(`^team=a/it\\(s\\)!\\*/2026/11/21/10/${sampleId(0)}_${sampleId(2)}_[0-9a-f]{16}\\.ndjson\\.zst$`),
  );
  assert.deepEqual(
    linesOf(await server.read(BUCKET, key)),
    [0, 1, 2].map((n) => sampleMembers(n)),
  );
  await sink.write(sampleRecords(2, 1), never);
  await sink.write([sampleRecord(1, { status: 500 })], never);
  await sink.write([sampleRecord(1, { status: 501 })], never);
  assert.equal((await server.keys(BUCKET)).length, 4, 'other content never overwrites');
});

test('s3 target: the bucket is named in the host unless pathStyle is set', options, async (t) => {
  const { port } = new URL(server.endpoint);
  const sink = await opened(t, { endpoint: `http://localhost:${port}`, bucket: 'other', pathStyle: false });
  // No resolver knows other.localhost everywhere, so that it is the error that tells the name.
  const outcome = await sink.write(sampleRecords(1), never).catch((error: Error) => error.message);
  if (outcome === undefined) assert.equal((await server.keys('other')).length, 1);
  else assert.match(outcome, /Cannot (reach|store in) "http:\/\/other\.localhost:/);
});

test(
  's3 target: wrong keys, a missing bucket and a wrong secret are repeated, and say what to do',
  options,
  async (t) => {
    const canary = 'canary-secret-access-key';
    const errors = [
      await refusal((await opened(t, {}, canary)).write(sampleRecords(1), never)),
      await refusal((await opened(t, { bucket: 'not-there' })).write(sampleRecords(1), never)),
    ];
    assert.match(errors[0]?.message ?? '', /403 SignatureDoesNotMatch; check the secret access key/);
    assert.match(errors[1]?.message ?? '', /404 NoSuchBucket; create the bucket/);
    for (const error of errors) {
      assert.equal(error.constructor, Error);
      assert.ok(!inspect(error, { depth: 9 }).includes(canary));
    }
  },
);

test(
  's3 target: a server that stands still is given up when the signal aborts, and one that is down is repeated',
  options,
  async (t) => {
    assert.ok(python);
    const own = await startS3(python, ['hung']);
    t.after(() => own.stop());
    const sink = await opened(t, { endpoint: own.endpoint, bucket: 'hung' }, own.secretAccessKey);
    const stop = new AbortController();
    const reason = new Error('the spool is closing');
    own.freeze();
    const writing = sink.write(sampleRecords(1), stop.signal);
    stop.abort(reason);
    await assert.rejects(writing, reason);
    const impatient = await opened(t, { endpoint: own.endpoint, timeoutMs: 50 });
    await assert.rejects(impatient.write(sampleRecords(1), never), /within the target's timeout of 50 ms/);
    await own.stop();
    const error = await refusal(sink.write(sampleRecords(1), never));
    assert.equal(
      error.message,
      `Cannot reach "${own.endpoint}": ECONNREFUSED; start it, or correct the port of its address`,
    );
  },
);

test('s3 target: the region and the session token are part of the signature', async (t) => {
  const receiver = await startReceiver(t);
  receiver.answer = { status: 200 };
  const endpoint = new URL(receiver.url).origin;
  const sink = await opened(t, { endpoint, region: 'eu-central-1', sessionTokenFile: 'session' });
  await sink.write(sampleRecords(1), never);
  const headers = receiver.deliveries[0]?.headers ?? {};
  assert.match(
    headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/eu-central-1\/s3\/aws4_request,/,
  );
  assert.match(headers.authorization ?? '', /SignedHeaders=[^,]*x-amz-content-sha256[^,]*x-amz-security-token/);
  assert.equal(headers['x-amz-security-token'], 'a-session-token');
});

for (const [status, code, kind] of [
  [400, 'EntityTooLarge', RefusedError],
  [413, '', RefusedError],
  [503, 'SlowDown', BusyError],
  [503, '', BusyError],
  [400, 'ExpiredToken', Error],
  [403, 'AccessDenied', Error],
  [301, 'PermanentRedirect', Error],
  [500, 'InternalError', Error],
] as const) {
  test(`s3 target: ${status} ${code} is ${kind === Error ? 'repeated' : kind.name}`, async (t) => {
    const receiver = await startReceiver(t);
    receiver.answer = { status, body: `<Error><Code>${code}</Code><Message>quotes a record</Message></Error>` };
    const sink = await opened(t, { endpoint: new URL(receiver.url).origin });
    const error = await refusal(sink.write(sampleRecords(1), never));
    assert.equal(error.constructor, kind);
    assert.doesNotMatch(inspect(error), /quotes a record/);
  });
}
