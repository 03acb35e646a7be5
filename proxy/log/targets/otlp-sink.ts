/** The `otlp` target: records as OpenTelemetry logs over OTLP/HTTP (opentelemetry.io/docs/specs/otlp). */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { OtlpTarget } from '#contract/compiled.ts';
import { HttpClient } from './http.ts';
import { judgeReply } from './http-verdict.ts';
import { exportRequest, rejectedRecords } from './otlp-request.ts';
import { type RecordSink, RefusedError } from './sink.ts';
import { type Credentials, credentialHeader, trust } from './target-credentials.ts';

const compress = promisify(gzip);
/** Collectors take 20 MiB unless told otherwise, many services behind them 4. */
const BATCH = { records: 200, bytes: 2 * 1024 ** 2 };
/** Bad data, and too much of it; other statuses tell of the way or the moment. */
const REFUSED: ReadonlySet<number> = new Set([400, 413]);

/** @throws Error when a credential is missing or cannot be used */
export function openOtlpSink(target: OtlpTarget, credentials: Credentials): RecordSink {
  const url = new URL(target.url);
  const { timeoutMs } = target;
  const client = new HttpClient({ origin: url.origin, timeoutMs, ...trust(target, credentials) });
  const proofs = target.credential ? ['otlp.credential.secret'] : [];
  const sender = { origin: client.origin, proofs, refused: REFUSED };
  const headers = {
    'user-agent': 'sluice',
    'content-type': 'application/json',
    ...(target.gzip && { 'content-encoding': 'gzip' }),
    ...credentialHeader(target.credential, credentials),
  };
  return {
    batch: BATCH,
    async write(records, signal) {
      const plain = exportRequest(records);
      const body = target.gzip ? await compress(plain) : plain;
      const request = { method: 'POST' as const, path: `${url.pathname}${url.search}`, headers, body };
      const reply = await client.send(request, signal);
      judgeReply(reply, sender);
      const rejected = rejectedRecords(reply.body);
      // Only halving tells which ones. Those that were taken come again, with the same log.record.uid.
      if (rejected > 0)
        throw new RefusedError(`"${client.origin}" rejected ${rejected} of ${records.length} log records`);
    },
    close: () => client.close(),
  };
}
