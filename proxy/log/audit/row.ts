/** A record's JSON → the row under which it is kept: what is filtered by, what was said, and the record itself, compressed. */

import type { SQLOutputValue } from 'node:sqlite';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { spokenText } from './spoken-text.ts';

export interface AuditRow {
  readonly id: string;
  readonly exchange: string;
  /** Which state of the record this is. */
  readonly sequence: number;
  readonly atEpochMs: number;
  /** What a hit shows beside the snippet, as JSON. */
  readonly facts: string;
  readonly prompt: string;
  readonly answer: string;
  readonly json: Buffer;
}

/** The part of a hit that is filtered by and shown. */
export interface RowFacts {
  readonly durationMs?: number;
  readonly firstByteMs?: number;
  readonly route?: string;
  readonly upstream?: string;
  readonly agent?: string;
  /** Asked for, sent and answered. */
  readonly models: readonly string[];
  readonly dialect: string;
  readonly status: number;
  /** Absent: the stream was still running. */
  readonly end?: string;
}

/** Marks of a snippet's matches; they are taken out of texts, so that none can be forged. */
export const MATCH_BEGINS = '\u0002';
export const MATCH_ENDS = '\u0003';

/** @returns undefined for what is no record */
export function rowOf(json: Uint8Array): AuditRow | undefined {
  const record = parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength));
  const { id, exchange, sequence, request, response, times } = objectOf(record);
  if (typeof id !== 'string') return undefined;
  const { target, body } = objectOf(request);
  const path = typeof target === 'string' ? (target.split('?', 1)[0] ?? '') : '';
  const received = Date.parse(String(objectOf(times)['received']));
  return {
    id,
    exchange: typeof exchange === 'string' ? exchange : id,
    sequence: typeof sequence === 'number' && Number.isSafeInteger(sequence) ? sequence : 0,
    atEpochMs: Number.isNaN(received) ? 0 : received,
    facts: JSON.stringify(factsOf(objectOf(record))),
    prompt: textOf(body, path),
    answer: textOf(objectOf(response)['body'], path),
    json: zstdCompressSync(json),
  };
}

export function jsonOf(value: SQLOutputValue | undefined): string {
  return value instanceof Uint8Array ? zstdDecompressSync(value).toString() : '';
}

function textOf(body: unknown, path: string): string {
  const { text } = objectOf(body);
  return typeof text === 'string' ? spokenText(text, path).replaceAll(MATCH_BEGINS, '').replaceAll(MATCH_ENDS, '') : '';
}

function factsOf(record: Readonly<Record<string, unknown>>): RowFacts {
  const { ended, firstByte } = objectOf(record['offsetsMs']);
  const { asked, sent, answered } = objectOf(record['model']);
  const { route, upstream, agent, dialect, status, end } = record;
  return {
    ...(typeof ended === 'number' && { durationMs: ended }),
    ...(typeof firstByte === 'number' && { firstByteMs: firstByte }),
    ...(typeof route === 'string' && { route }),
    ...(typeof upstream === 'string' && { upstream }),
    ...(typeof agent === 'string' && { agent }),
    models: [...new Set([asked, sent, answered].filter((name) => typeof name === 'string'))],
    dialect: String(dialect),
    status: typeof status === 'number' ? status : 0,
    ...(record['partial'] !== true && { end: String(end) }),
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
