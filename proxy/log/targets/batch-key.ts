/** Names a batch by what is in it, so that it has the same name when it is repeated. */
import { createHash } from 'node:crypto';
import { recordKey } from '../record-key.ts';
import type { SinkRecord } from './sink.ts';

/** A single record's id with its sequence, or a digest of all of them in their order. */
export function batchKey(records: readonly SinkRecord[]): string {
  const [first] = records;
  if (first !== undefined && records.length === 1) return recordKey(first);
  const digest = createHash('sha256');
  for (const record of records) digest.update(`${recordKey(record)}\n`);
  return `batch-${digest.digest('hex').slice(0, 32)}`;
}
