/** The `s3` target: each batch becomes one object; one that is sent again overwrites itself. */
import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import type { S3Target } from '#contract/compiled.ts';
import { HttpClient, type HttpReply } from './http.ts';
import { judgeReply } from './http-verdict.ts';
import { makeObject, type S3Object } from './s3-object.ts';
import { BusyError, type RecordSink, RefusedError } from './sink.ts';
import { type Credentials, credentialValue, trust } from './target-credentials.ts';

/** Few large objects cost less than many small ones; the spool decides how long it gathers. */
const BATCH = { records: 5_000, bytes: 16 * 1024 ** 2, lingerMs: 5_000 };

const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or correct its name',
  InvalidAccessKeyId: 'check the access key in the Secret',
  SignatureDoesNotMatch: 'check the secret access key in the Secret',
  ExpiredToken: 'deliver new credentials into the Secret',
  AccessDenied: 'allow the access key s3:PutObject on the bucket',
  AuthorizationHeaderMalformed: "correct the target's region",
  PermanentRedirect: "correct the target's region or endpoint",
  RequestTimeTooSkewed: 'set the clock of the node',
};

/** @throws Error when a credential is missing */
export function openS3Sink(target: S3Target, credentials: Credentials): RecordSink {
  const { accessKeyIdFile, secretAccessKeyFile, sessionTokenFile } = target;
  const access = {
    accessKeyId: credentialValue(accessKeyIdFile, credentials),
    secretAccessKey: credentialValue(secretAccessKeyFile, credentials),
    ...(sessionTokenFile !== undefined && { sessionToken: credentialValue(sessionTokenFile, credentials) }),
  };
  const base = bucketUrl(target);
  const client = new HttpClient({ origin: base.origin, timeoutMs: target.timeoutMs, ...trust(target, credentials) });
  return {
    batch: BATCH,
    async write(records, signal) {
      const object = await makeObject(target.prefix, records);
      const url = new URL(`${base.href}${encodeKey(object.key)}`);
      const headers = await sign(url, object, target.region, access);
      const path = `${url.pathname}${url.search}`;
      const reply = await client.send({ method: 'PUT', path, headers, body: object.body }, signal);
      judge(reply, client.origin);
    },
    close: () => client.close(),
  };
}

/** As the signature's canonical form writes it, so that no server has to encode anew what it verifies. */
function encodeKey(key: string): string {
  const reserved = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return key
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll(/[!'()*]/g, reserved))
    .join('/');
}

/** @returns url of the bucket, ending in a slash */
function bucketUrl({ endpoint, bucket, pathStyle }: S3Target): URL {
  const url = new URL(endpoint);
  if (pathStyle) url.pathname = `/${bucket}/`;
  else url.host = `${bucket}.${url.host}`;
  return url;
}

type Access = Pick<ConstructorParameters<typeof AwsV4Signer>[0], 'accessKeyId' | 'secretAccessKey' | 'sessionToken'>;

async function sign(url: URL, { body }: S3Object, region: string, access: Access): Promise<Record<string, string>> {
  const headers = {
    'content-type': 'application/zstd',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
  const signer = new AwsV4Signer({ method: 'PUT', url: url.href, headers, service: 's3', region, ...access });
  const signed = await signer.sign();
  return Object.fromEntries(signed.headers);
}

/** Almost everything that S3 refuses is a matter of the config: only what is too large will never be taken. */
function judge(reply: HttpReply, origin: string): void {
  const { status } = reply;
  if (status >= 200 && status < 300) return;
  // Error codes are words of a fixed list, unlike the message beside them.
  const code = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(reply.body.toString('latin1'))?.[1];
  if (code === 'EntityTooLarge' || status === 413)
    throw new RefusedError(`"${origin}" refused the object: it is too large`);
  if (code === 'SlowDown') throw new BusyError(`"${origin}" asks to slow down`, undefined);
  if (code !== undefined && status !== 503 && status !== 429) {
    const advice = ADVICE[code];
    throw new Error(`Cannot store in "${origin}": ${status} ${code}${advice === undefined ? '' : `; ${advice}`}`);
  }
  judgeReply(reply, { origin, proofs: ['s3.credentials'], refused: new Set() });
}
