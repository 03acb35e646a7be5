/** The `http` target: batches of records POSTed to a receiver (docs/log-targets.md says what it has to do). */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpTarget } from '#contract/compiled.ts';
import { batchKey } from './batch-key.ts';
import { HttpClient } from './http.ts';
import { signatureHeaders, signingKey } from './http-signature.ts';
import { judgeReply } from './http-verdict.ts';
import type { RecordSink, SinkRecord } from './sink.ts';
import { type Credentials, credentialHeader, credentialValue, trust } from './target-credentials.ts';

const compress = promisify(gzip);
const [LF, COMMA, OPEN, CLOSE] = ['\n', ',', '[', ']'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];

/** @throws Error when a credential is missing or cannot be used */
export function openHttpSink(target: HttpTarget, credentials: Credentials): RecordSink {
  const { format, maxRecords, maxBytes, timeoutMs, hmacFile } = target;
  const url = new URL(target.url);
  const client = new HttpClient({ origin: url.origin, timeoutMs, ...trust(target, credentials) });
  const key = hmacFile === undefined ? undefined : signingKey(credentialValue(hmacFile, credentials));
  const proofs = proofsOf(target);
  const fixed = {
    'user-agent': 'sluice',
    'content-type': format === 'json' ? 'application/json' : 'application/x-ndjson',
    ...(target.gzip && { 'content-encoding': 'gzip' }),
    ...credentialHeader(target.credential, credentials),
  };
  return {
    batch: { records: maxRecords, bytes: maxBytes },
    async write(records, signal) {
      const plain = bodyOf(records, format, maxRecords === 1);
      const body = target.gzip ? await compress(plain) : plain;
      const id = batchKey(records);
      const headers = { ...fixed, 'idempotency-key': id, ...(key && signatureHeaders(key, id, body)) };
      const request = { method: 'POST' as const, path: `${url.pathname}${url.search}`, headers, body };
      judgeReply(await client.send(request, signal), { origin: client.origin, proofs });
    },
    close: () => client.close(),
  };
}

/** Receivers that verify signatures refuse old ones, so that a clock may be what is wrong. */
function proofsOf({ credential, hmacFile }: HttpTarget): string[] {
  return [
    ...(credential ? ['http.credential.secret'] : []),
    ...(hmacFile === undefined
      ? []
      : ['http.hmac.secret (and the clock: receivers refuse timestamps more than five minutes off)']),
  ];
}

/** @param bare one record a request, so that it is sent without a list around it */
function bodyOf(records: readonly SinkRecord[], format: HttpTarget['format'], bare: boolean): Buffer {
  const [first] = records;
  if (format === 'ndjson') return Buffer.concat(records.flatMap(({ json }) => [json, LF]));
  if (bare && first !== undefined && records.length === 1) return first.json;
  const items = records.flatMap(({ json }, index) => (index === 0 ? [json] : [COMMA, json]));
  return Buffer.concat([OPEN, ...items, CLOSE]);
}
