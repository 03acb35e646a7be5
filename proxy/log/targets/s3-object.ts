/** Records -> one object of zstd-compressed NDJSON, and a name that is the same whenever the batch is. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { SinkRecord } from './sink.ts';

const compress = promisify(zstdCompress);
const LEVEL = 3;
const LF = Buffer.from('\n');

export interface S3Object {
  /** Without slash at the beginning. */
  readonly key: string;
  readonly body: Buffer;
}

/** @returns an object named `<prefix><date and hour of the first record>/<first id>_<last id>_<digest>.ndjson.zst` */
export async function makeObject(prefix: string, records: readonly SinkRecord[]): Promise<S3Object> {
  const plain = Buffer.concat(records.flatMap(({ json }) => [json, LF]));
  const digest = createHash('sha256').update(plain).digest('hex').slice(0, 16);
  const first = records[0]?.id ?? '';
  const last = records.at(-1)?.id ?? '';
  const body = await compress(plain, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
  return { key: `${prefix}${folderOf(first)}${safe(first)}_${safe(last)}_${digest}.ndjson.zst`, body };
}

/** Ids are UUIDs of version 7, which begin with their time; an id that is none has no folder. */
function folderOf(id: string): string {
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id) ?? [];
  if (high === undefined || low === undefined) return '';
  const [date, time] = new Date(Number.parseInt(`${high}${low}`, 16)).toISOString().split('T');
  return `${(date ?? '').replaceAll('-', '/')}/${(time ?? '').slice(0, 2)}/`;
}

function safe(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9-]/g, '').slice(0, 64);
}
