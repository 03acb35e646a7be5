/** The rows of the spool's records: what they take, and the reading and writing of them. Knows nothing of targets. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { readRecordKey } from '../record-key.ts';
import type { SinkRecord } from '../targets/sink.ts';
import { stripBodies } from './strip.ts';

export interface NewRecord {
  /** With its sequence (record-key.ts): states of one record are rows of their own. */
  readonly id: string;
  /** UTF-8, without newline. */
  readonly json: Uint8Array;
}

export interface StoredRecord extends SinkRecord {
  readonly seq: number;
}

export interface RowFacts {
  readonly seq: number;
  /** With its sequence. */
  readonly id: string;
  readonly atEpochMs: number;
  readonly bytes: number;
}

/** Moments in milliseconds since the epoch. */
export interface StaleBounds {
  readonly through: number;
  readonly keptSince: number;
  readonly now: number;
}

/** Numbers beyond the one, up to and with the other. */
export interface Span {
  readonly after: number;
  readonly through: number;
}

export interface Extent {
  readonly records: number;
  readonly bytes: number;
}

/** What a row takes beside its record: its other columns, and its line in the index of ids. */
const ROW_BYTES = 160;
const PAGE_BYTES = 4096;
/** A longer page is not kept for the next target. */
const LAST_PAGE_BYTES = 1024 ** 2;
const USED = `CASE WHEN bytes < ${PAGE_BYTES} THEN bytes ELSE (bytes + ${PAGE_BYTES - 1}) / ${PAGE_BYTES} * ${PAGE_BYTES} END + ${ROW_BYTES}`;

/** Bytes of the file for a record so long: a long one has its last page for itself. */
export function rowBytes(bytes: number): number {
  return ROW_BYTES + (bytes < PAGE_BYTES ? bytes : Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
}

export class RecordRows {
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;
  /** Pages that a database without any record has. */
  readonly #bare: number;
  #usedBytes: number;
  /** Every row up to here was looked at for bodies to take out. */
  #strippedThrough: number;
  /** Read last, for the target that is at the same place; by number, which no other record ever gets. */
  #lastPage: readonly StoredRecord[] = [];

  constructor(db: DatabaseSync) {
    const names = Object.keys(STATEMENTS) as (keyof typeof STATEMENTS)[];
    this.#sql = Object.fromEntries(names.map((name) => [name, db.prepare(STATEMENTS[name])])) as {
      [Name in keyof typeof STATEMENTS]: StatementSync;
    };
    this.#bare = numberOf(this.#sql.bare.get()?.['pages']);
    this.#usedBytes = numberOf(this.#sql.used.get()?.['used']);
    this.#strippedThrough = numberOf(this.#sql.strippedThrough.get()?.['seq']);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Of the file's pages, as SQLite counts them: no sum of rows tells how full the pages are in which they lie. */
  get takenBytes(): number {
    const pages = numberOf(this.#sql.pages.get()?.['page_count']);
    return Math.max(0, pages - this.freePages - this.#bare) * PAGE_BYTES;
  }

  /** Of the file's pages. */
  get freePages(): number {
    return numberOf(this.#sql.free.get()?.['freelist_count']);
  }

  /** Highest number that a row ever had. */
  lastSeq(): number {
    return numberOf(this.#sql.lastSeq.get()?.['seq']);
  }

  /** @returns false when a record with this id is there already */
  insert({ id, json }: NewRecord, atEpochMs: number): boolean {
    const { changes } = this.#sql.insert.run(id, atEpochMs, json.byteLength, json);
    if (changes === 0) return false;
    this.#usedBytes += rowBytes(json.byteLength);
    return true;
  }

  has(id: string): boolean {
    return this.#sql.has.get(id) !== undefined;
  }

  /** What lies there, in all. */
  extent(spans: readonly Span[]): Extent {
    const rows = spans.map(({ after, through }) => this.#sql.extent.get(after, through));
    const sumOf = (column: string): number => rows.reduce((sum, row) => sum + numberOf(row?.[column]), 0);
    return { records: sumOf('records'), bytes: sumOf('bytes') };
  }

  /** The first records of the first span that has any: at least one, then as many as both limits allow. */
  page(spans: readonly Span[], limit: Extent): StoredRecord[] {
    for (const span of spans) {
      const page = this.#pageOf(span, limit);
      if (page.length > 0) return page;
    }
    return [];
  }

  #pageOf({ after, through }: Span, limit: Extent): StoredRecord[] {
    let bytes = 0;
    const wanted: number[] = [];
    for (const row of this.#sql.sizes.all(after, through, limit.records)) {
      bytes += numberOf(row['bytes']);
      if (wanted.length > 0 && bytes > limit.bytes) break;
      wanted.push(numberOf(row['seq']));
    }
    return this.#known(wanted) ?? this.#read(after, wanted.at(-1) ?? after);
  }

  #known(wanted: readonly number[]): StoredRecord[] | undefined {
    const [first] = wanted;
    const from = this.#lastPage.findIndex(({ seq }) => seq === first);
    const known = this.#lastPage.slice(from, from + wanted.length);
    return from !== -1 && known.map(({ seq }) => seq).join() === wanted.join() ? known : undefined;
  }

  #read(after: number, through: number): StoredRecord[] {
    const page = this.#sql.records.all(after, through).map(recordOf);
    const bytes = page.reduce((sum, { json }) => sum + json.length, 0);
    this.#lastPage = bytes <= LAST_PAGE_BYTES ? page : [];
    return page;
  }

  /** The first rows beyond `after`, without their records. */
  facts(after: number, limit: number): RowFacts[] {
    return this.#sql.facts.all(after, limit).map(factsOf);
  }

  /**
   * The first rows up to `through` that need not be kept any longer. One from the future is of a process whose clock was moved
   * back since.
   */
  stale({ through, keptSince, now }: StaleBounds, limit: number): RowFacts[] {
    return this.#sql.stale.all(through, keptSince, now, limit).map(factsOf);
  }

  /** @returns the last of the first rows beyond `after` that is older than this */
  lastBefore(atEpochMs: number, after: number, limit: number): number | undefined {
    return numberOf(this.#sql.lastBefore.get(after, limit, atEpochMs)?.['seq']) || undefined;
  }

  /** Rows of the same record with a lower sequence. @param key with its sequence */
  olderStates(key: string): RowFacts[] {
    const { id, sequence } = readRecordKey(key);
    if (sequence === 0) return [];
    const states = this.#sql.states.all(id).map(factsOf);
    return states.filter((row) => readRecordKey(row.id).sequence < sequence);
  }

  remove({ seq, bytes }: RowFacts): void {
    this.#lastPage = [];
    this.#sql.remove.run(seq);
    this.#usedBytes -= rowBytes(bytes);
  }

  /** Takes the bodies out of the oldest record that still has some. @returns which, and how much shorter it is now */
  stripNext(): { readonly seq: number; readonly shorterBytes: number } | undefined {
    for (;;) {
      const row = this.#sql.unstripped.get(this.#strippedThrough);
      if (row === undefined) return undefined;
      const record = recordOf(row);
      this.#strippedThrough = record.seq;
      const json = stripBodies(record.json);
      if (json === undefined || json.length >= record.json.length) continue;
      this.#lastPage = [];
      // Made anew: pages are joined when a row leaves one, and stay as they are when it becomes shorter where it lies.
      this.#sql.remove.run(record.seq);
      this.#sql.insertStripped.run(record.seq, String(row['id']), numberOf(row['at']), json.length, json);
      this.#usedBytes += rowBytes(json.length) - rowBytes(record.json.length);
      return { seq: record.seq, shorterBytes: record.json.length - json.length };
    }
  }

  /** @returns what puts the sums back as they are now, for a transaction that fails */
  mark(): () => void {
    const usedBytes = this.#usedBytes;
    const strippedThrough = this.#strippedThrough;
    return () => {
      this.#usedBytes = usedBytes;
      this.#strippedThrough = strippedThrough;
    };
  }
}

const STATEMENTS = {
  used: `SELECT sum(${USED}) AS used FROM records`,
  strippedThrough: 'SELECT max(seq) AS seq FROM records WHERE stripped = 1',
  lastSeq: "SELECT seq FROM sqlite_sequence WHERE name = 'records'",
  insert: 'INSERT INTO records (id, at, bytes, json) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
  has: 'SELECT 1 FROM records WHERE id = ?',
  extent: 'SELECT count(*) AS records, sum(bytes) AS bytes FROM records WHERE seq > ? AND seq <= ?',
  sizes: 'SELECT seq, bytes FROM records WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  records: 'SELECT seq, id, json FROM records WHERE seq > ? AND seq <= ? ORDER BY seq',
  facts: 'SELECT seq, id, at, bytes FROM records WHERE seq > ? ORDER BY seq LIMIT ?',
  stale: 'SELECT seq, id, at, bytes FROM records WHERE seq <= ? AND (at <= ? OR at > ?) ORDER BY seq LIMIT ?',
  lastBefore:
    'SELECT max(seq) AS seq FROM (SELECT seq, at FROM records WHERE seq > ? ORDER BY seq LIMIT ?) WHERE at < ?',
  // Between "id/" and "id0", which follows "id/9…" in the order of bytes.
  states: "SELECT seq, id, at, bytes FROM records WHERE id = ?1 OR (id > ?1 || '/' AND id < ?1 || '0') ORDER BY seq",
  remove: 'DELETE FROM records WHERE seq = ?',
  unstripped: 'SELECT seq, id, at, json FROM records WHERE seq > ? ORDER BY seq LIMIT 1',
  insertStripped: 'INSERT INTO records (seq, id, at, bytes, stripped, json) VALUES (?, ?, ?, ?, 1, ?)',
  pages: 'PRAGMA page_count',
  free: 'PRAGMA freelist_count',
  // Of each table and index its root, the list of them, and the map of pages that auto_vacuum keeps.
  bare: 'SELECT count(*) + 2 AS pages FROM sqlite_schema WHERE rootpage > 0',
} as const;

function factsOf(row: Readonly<Record<string, SQLOutputValue>>): RowFacts {
  return {
    seq: numberOf(row['seq']),
    id: String(row['id']),
    atEpochMs: numberOf(row['at']),
    bytes: numberOf(row['bytes']),
  };
}

function recordOf(row: Readonly<Record<string, SQLOutputValue>>): StoredRecord {
  const json = row['json'];
  const { id, sequence } = readRecordKey(String(row['id']));
  return {
    seq: numberOf(row['seq']),
    id,
    ...(sequence > 0 && { sequence }),
    json: json instanceof Uint8Array ? Buffer.from(json.buffer, json.byteOffset, json.byteLength) : Buffer.alloc(0),
  };
}

/** A sum over nothing is NULL. */
export function numberOf(value: SQLOutputValue | undefined): number {
  return value === null || value === undefined ? 0 : Number(value);
}
