/** Names a batch by what is in it, so that it has the same name when it is repeated. */
import { createHash } from 'node:crypto';
import type { SinkRecord } from './sink.ts';

/** A single record's id, or a digest of all ids in their order. */
export function batchKey(records: readonly SinkRecord[]): string {
  const [first] = records;
  if (first !== undefined && records.length === 1) return first.id;
  const digest = createHash('sha256');
  for (const { id } of records) digest.update(`${id}\n`);
  return `batch-${digest.digest('hex').slice(0, 32)}`;
}
