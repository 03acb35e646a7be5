/** Promise: the `http` target brings every record to a receiver once, tells refusals from outages, and never shows a secret. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Webhook } from 'standardwebhooks';
import type { HttpTarget } from '#contract/compiled.ts';
import { openSink } from '../../proxy/log/spool/open-sink.ts';
import { BusyError, type RecordSink, RefusedError } from '../../proxy/log/targets/sink.ts';
import { startDeafServer } from '../support/deaf-server.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from '../support/log-targets/receiver.ts';
import { sampleId, sampleMembers, sampleRecord, sampleRecords } from '../support/log-targets/sample-records.ts';
import { selfSigned } from '../support/self-signed.ts';

const TOKEN = `canary-token-${randomBytes(6).toString('hex')}`;
const KEY = randomBytes(24);
const SECRETS = new Map([
  ['token', TOKEN],
  ['hmac', `whsec_${KEY.toString('base64')}`],
]);
const CREDENTIAL = { credential: { file: 'token', header: 'authorization' }, hmacFile: 'hmac' };

async function opened(
  t: TestContext,
  receiver: Pick<Receiver, 'url'>,
  more: Partial<HttpTarget> = {},
  secrets: ReadonlyMap<string, string> = SECRETS,
): Promise<RecordSink> {
  const target = { kind: 'http', name: 'store', url: receiver.url, format: 'ndjson' } as const;
  const limits = { maxRecords: 100, maxBytes: 1024 ** 2, gzip: false, timeoutMs: 20_000 };
  const sink = await openSink({ ...target, ...limits, ...more }, secrets);
  t.after(() => sink.close());
  return sink;
}

const never = new AbortController().signal;
const unexpected = (): never => assert.fail('was taken');
const strict: ReceiverOptions = { key: KEY, authorization: `Bearer ${TOKEN}` };

for (const format of ['ndjson', 'json'] as const) {
  for (const gzip of [false, true]) {
    test(`http target: a signed batch of ${format}${gzip ? ', compressed,' : ''} arrives whole`, async (t) => {
      const receiver = await startReceiver(t, strict);
      const sink = await opened(t, receiver, { format, gzip, ...CREDENTIAL });
      await sink.write(sampleRecords(3), never);
      assert.deepEqual(
        [...receiver.stored.values()],
        [0, 1, 2].map((n) => sampleMembers(n)),
      );
      assert.equal(receiver.deliveries[0]?.headers['content-encoding'], gzip ? 'gzip' : undefined);
    });
  }
}

test('http target: a repeated batch is stored once, under the same idempotency key', async (t) => {
  const receiver = await startReceiver(t);
  const sink = await opened(t, receiver);
  await sink.write(sampleRecords(3), never);
  await sink.write(sampleRecords(3), never);
  await sink.write(sampleRecords(2, 2), never);
  assert.deepEqual(
    [...receiver.stored.keys()],
    [0, 1, 2, 3].map((n) => sampleId(n)),
  );
  const keys = receiver.deliveries.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys[0], keys[1]);
  await sink.write(sampleRecords(2), never);
  assert.equal(new Set(receiver.deliveries.map(({ headers }) => headers['idempotency-key'])).size, 3);
});

test('http target: with maxRecords 1, json is the bare record, and its id the idempotency key', async (t) => {
  const receiver = await startReceiver(t);
  const sink = await opened(t, receiver, { format: 'json', maxRecords: 1 });
  assert.equal(sink.batch.records, 1);
  await sink.write([sampleRecord(7)], never);
  assert.deepEqual(JSON.parse(String(receiver.deliveries[0]?.body)), sampleMembers(7));
  assert.equal(receiver.deliveries[0]?.headers['idempotency-key'], sampleId(7));
});

test('http target: the public Standard Webhooks library verifies our signature, and no other', async (t) => {
  const receiver = await startReceiver(t);
  const sink = await opened(t, receiver, { format: 'json', ...CREDENTIAL });
  await sink.write(sampleRecords(2), never);
  const { headers, body } = receiver.deliveries[0] ?? assert.fail('nothing came');
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  const signed = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  const webhook = new Webhook(String(SECRETS.get('hmac')));
  assert.deepEqual(webhook.verify(body, signed), [sampleMembers(0), sampleMembers(1)]);
  assert.throws(() => webhook.verify(`${String(body)} `, signed), /No matching signature/);
});

test('http target: who is not let in is told which of its fields to check', async (t) => {
  const { credential, hmacFile } = CREDENTIAL;
  const clock = ' \\(and the clock: receivers refuse timestamps more than five minutes off\\)';
  for (const [more, status, advice] of [
    [{ credential }, 401, 'check http\\.credential\\.secret$'],
    [{ credential }, 403, 'check http\\.credential\\.secret, and what it may do$'],
    [{ hmacFile }, 401, `check http\\.hmac\\.secret${clock}$`],
    [CREDENTIAL, 401, `check http\\.credential\\.secret and http\\.hmac\\.secret${clock}$`],
    [{}, 401, "it wants a credential; name one under the target's `credential`$"],
  ] as const) {
    const refusing = await startReceiver(t);
    refusing.fault = () => ({ status });
    const rejected = (await opened(t, refusing, more)).write(sampleRecords(1), never);
    await assert.rejects(rejected, new RegExp(`answered ${status}; ${advice}`));
  }
  const verifying = await startReceiver(t, { key: randomBytes(24) });
  await assert.rejects(
    (await opened(t, verifying, { hmacFile })).write(sampleRecords(1), never),
    /answered 401; check/,
  );
});

test('http target: one poison record refuses its batch, and the halves show which one it is', async (t) => {
  const receiver = await startReceiver(t);
  receiver.fault = (records) => (records.some(({ id }) => id === sampleId(5)) ? { status: 422 } : undefined);
  const sink = await opened(t, receiver);
  await assert.rejects(sink.write(sampleRecords(8), never), RefusedError);
  await sink.write(sampleRecords(4), never);
  await assert.rejects(sink.write([sampleRecord(5)], never), RefusedError);
  await sink.write(sampleRecords(2, 6), never);
  assert.equal(receiver.stored.size, 6);
});

for (const [status, kind] of [
  [400, RefusedError],
  [409, RefusedError],
  [413, RefusedError],
  [422, RefusedError],
  [429, BusyError],
  [503, BusyError],
  [301, Error],
  [401, Error],
  [403, Error],
  [404, Error],
  [408, Error],
  [425, Error],
  [500, Error],
  [502, Error],
] as const) {
  test(`http target: status ${status} is ${kind === Error ? 'repeated' : kind.name}`, async (t) => {
    const receiver = await startReceiver(t);
    receiver.fault = () => ({ status, headers: { location: `${receiver.url}/elsewhere`, 'retry-after': '7' } });
    const sink = await opened(t, receiver);
    const error = await sink.write(sampleRecords(1), never).then(unexpected, (reason: unknown) => reason);
    assert.ok(error instanceof Error);
    assert.equal(error.constructor, kind);
    assert.match(error.message, new RegExp(`${status}`));
    if (error instanceof BusyError) assert.equal(error.retryAfterMs, 7000);
    assert.equal(receiver.deliveries.length, 1, 'a redirect was not followed');
    receiver.fault = () => undefined;
    await sink.write(sampleRecords(1), never);
    assert.equal(receiver.stored.size, 1);
  });
}

test('http target: a receiver that hangs is given up when the signal aborts, and at the timeout', async (t) => {
  const receiver = await startReceiver(t);
  receiver.fault = () => 'hang';
  const sink = await opened(t, receiver);
  const stop = new AbortController();
  const reason = new Error('the spool is closing');
  const asked = receiver.asked();
  const writing = sink.write(sampleRecords(1), stop.signal);
  await asked;
  stop.abort(reason);
  await assert.rejects(writing, reason);
  const impatient = await opened(t, receiver, { timeoutMs: 50 });
  await assert.rejects(impatient.write(sampleRecords(1), never), {
    message: `Got no answer from "${new URL(receiver.url).origin}" within the target's timeout of 50 ms; look at the receiver, or raise the target's timeout`,
  });
});

test('http target: packets that are dropped are told from an answer that does not come', async (t) => {
  const url = `http://127.0.0.1:${await startDeafServer(t)}`;
  const sink = await opened(t, { url: `${url}/` }, { timeoutMs: 50 });
  await assert.rejects(sink.write(sampleRecords(1), never), {
    message: `Cannot reach "${url}": no connection within the target's timeout of 50 ms; look whether it runs, and whether a NetworkPolicy or a firewall keeps us away`,
  });
});

test('http target: a handshake of TLS that does not end is told from a network that lets nothing through', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sink = await opened(t, { url: `${url}/` }, { timeoutMs: 50 });
  await assert.rejects(sink.write(sampleRecords(1), never), {
    message: `Cannot reach "${url}": the TLS handshake did not end within the target's timeout of 50 ms; look whether it speaks TLS on that port`,
  });
});

test('http target: a receiver that is down is an error that names it, and no more is needed once it is up', async (t) => {
  const down = await startReceiver(t);
  await down.stop();
  const sink = await opened(t, down);
  const error = await sink.write(sampleRecords(1), never).then(unexpected, (reason: Error) => reason);
  assert.equal(error.constructor, Error);
  assert.equal(
    error.message,
    `Cannot reach "${new URL(down.url).origin}": ECONNREFUSED; start it, or correct the port of its address`,
  );
  const up = await startReceiver(t, { port: Number(new URL(down.url).port) });
  await sink.write(sampleRecords(1), never);
  assert.equal(up.stored.size, 1);
});

test('http target: TLS is verified, against the authority of the Secret', async (t) => {
  const tls = selfSigned();
  const receiver = await startReceiver(t, { tls });
  await assert.rejects(
    (await opened(t, receiver)).write(sampleRecords(1), never),
    /Cannot reach .*: DEPTH_ZERO_SELF_SIGNED_CERT/,
  );
  const trusting = (pem: string): Promise<RecordSink> => opened(t, receiver, { caFile: 'ca' }, new Map([['ca', pem]]));
  const other = await trusting(selfSigned().cert);
  await assert.rejects(
    other.write(sampleRecords(1), never),
    /; its certificate is signed by none of the authorities in/,
  );
  await assert.rejects(
    trusting('hello'),
    /^Error: Cannot use http\.tls\.ca: the Secret's value holds no PEM certificate/,
  );
  await assert.rejects(
    trusting(tls.cert + tls.cert.slice(0, 99)),
    /certificate 2 of 2 in the Secret's value cannot be/,
  );
  await (await trusting(tls.cert)).write(sampleRecords(1), never);
  assert.equal(receiver.stored.size, 1);
});

test('http target: no error holds the credential, the signing key or a record', async (t) => {
  const receiver = await startReceiver(t);
  const errors: unknown[] = [];
  for (const fault of [401, 422, 500, 503, 301]) {
    receiver.fault = () => ({ status: fault });
    const sink = await opened(t, receiver, CREDENTIAL);
    errors.push(await sink.write(sampleRecords(1), never).catch((reason: unknown) => reason));
  }
  const down = await opened(t, { url: 'http://127.0.0.1:1/records?token=hidden-query' }, CREDENTIAL);
  errors.push(await down.write(sampleRecords(1), never).catch((reason: unknown) => reason));
  const broken = new Map([...SECRETS, ['token', `${TOKEN}\r\nx: y`]]);
  errors.push(await opened(t, receiver, CREDENTIAL, broken).catch((reason: unknown) => reason));
  const garbled = new Map([...SECRETS, ['hmac', `whsec_%${KEY.toString('base64')}`]]);
  errors.push(await opened(t, receiver, CREDENTIAL, garbled).catch((reason: unknown) => reason));
  errors.push(await opened(t, receiver, CREDENTIAL, new Map([['token', TOKEN]])).catch((reason: unknown) => reason));
  for (const error of errors) {
    assert.ok(error instanceof Error);
    const text = inspect(error, { depth: 9 });
    for (const secret of [TOKEN, KEY.toString('base64'), 'claude-opus', 'hidden-query'])
      assert.ok(!text.includes(secret), text);
  }
});
