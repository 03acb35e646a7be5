/** An S3 server of one test file: moto, made to check signatures and rights, with one user who may write to one bucket. */
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { pythonVersion, pythonWith } from '../clients/python.ts';
import { ServerProcess } from './server-process.ts';

const REQUIREMENTS = join(import.meta.dirname, 's3-requirements.txt');
const WRITER_MAY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:PutObject', 's3:GetObject', 's3:ListBucket'], Resource: '*' }],
};

export interface S3Server {
  readonly endpoint: string;
  /** Of the user who may write. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Keys of the bucket's objects. */
  keys(bucket: string): Promise<string[]>;
  read(bucket: string, key: string): Promise<Buffer>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Path of a Python with moto; undefined when this machine has no Python. */
export async function s3Python(): Promise<string | undefined> {
  const version = await pythonVersion();
  return version === undefined ? undefined : pythonWith(version, REQUIREMENTS);
}

/** @param buckets made at the start */
export async function startS3(python: string, buckets: readonly string[]): Promise<S3Server> {
  const args = ['-u', '-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'];
  const server = new ServerProcess({ command: python, args, ready: /Running on (http:\S+)/ });
  const [, endpoint = ''] = await server.start();
  const access = await setUp(endpoint, buckets);
  const writer = new AwsClient({ ...access, region: 'us-east-1', service: 's3' });
  return {
    endpoint,
    ...access,
    async keys(bucket) {
      const list = await succeeded(await writer.fetch(`${endpoint}/${bucket}?list-type=2`)).text();
      return [...list.matchAll(/<Key>(.+?)<\/Key>/g)].map(([, key = '']) => key);
    },
    async read(bucket, key) {
      return Buffer.from(await succeeded(await writer.fetch(`${endpoint}/${bucket}/${encoded(key)}`)).arrayBuffer());
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}

/** Makes the buckets and the user, then closes the door to everybody else. */
async function setUp(
  endpoint: string,
  buckets: readonly string[],
): Promise<Pick<S3Server, 'accessKeyId' | 'secretAccessKey'>> {
  const anybody = new AwsClient({ accessKeyId: 'set-up', secretAccessKey: 'set-up', region: 'us-east-1' });
  const iam = async (action: string, more: Readonly<Record<string, string>> = {}): Promise<string> => {
    const body = new URLSearchParams({ Action: action, Version: '2010-05-08', UserName: 'writer', ...more }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return succeeded(await anybody.fetch(endpoint, { method: 'POST', body, headers, aws: { service: 'iam' } })).text();
  };
  for (const bucket of buckets) {
    succeeded(await anybody.fetch(`${endpoint}/${bucket}`, { method: 'PUT', aws: { service: 's3' } }));
  }
  await iam('CreateUser');
  await iam('PutUserPolicy', { PolicyName: 'may', PolicyDocument: JSON.stringify(WRITER_MAY) });
  const made = await iam('CreateAccessKey');
  // From the next request on nobody comes in without a signature.
  succeeded(await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: '0' }));
  return {
    accessKeyId: /<AccessKeyId>(.+?)</.exec(made)?.[1] ?? '',
    secretAccessKey: /<SecretAccessKey>(.+?)</.exec(made)?.[1] ?? '',
  };
}

/** moto verifies signatures over the path as it came. */
function encoded(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9_.~/-]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function succeeded(response: Response): Response {
  if (!response.ok) throw new Error(`The S3 server answered ${response.status} to ${response.url}`);
  return response;
}
