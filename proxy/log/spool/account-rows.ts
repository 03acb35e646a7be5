/** The ledger's place in the database: one row a target, and the ids of the latest dropped records. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { DROP_REASONS, type DropReason } from '../../observe/meters.ts';
import { type Account, type Dropped, type DroppedRecord, type Ledger, sumOf } from './ledger.ts';
import type { Losses } from './losses.ts';
import type { Parcel } from './messages.ts';
import { numberOf, type Span } from './rows.ts';

/** Removed targets whose counts are kept. */
const RETIRED_ROWS = 64;

/** Consecutive records that a target does not get. */
export interface DroppedSpan extends Span {
  readonly target: string;
  readonly atEpochMs: number;
  readonly reason: DropReason;
}

/** Most dropped records whose ids are kept, */
const LISTED_ROWS = 1000;
/** and their part of the bytes that records may take, with what a row takes. */
const LISTED_PART = 1 / 16;
const LISTED_ROW_BYTES = 128;

export class AccountRows {
  readonly #db: DatabaseSync;
  readonly #ledger: Ledger;
  readonly #elsewhere: (target: string) => number;
  readonly #upsert: StatementSync;
  readonly #hear: StatementSync;
  readonly #list: StatementSync;
  readonly #listSpan: StatementSync;
  readonly #shortenList: StatementSync;

  constructor(db: DatabaseSync, ledger: Ledger, elsewhere: (target: string) => number) {
    this.#db = db;
    this.#ledger = ledger;
    this.#elsewhere = elsewhere;
    this.#upsert = db.prepare(
      `INSERT INTO targets (name, cursor, active, seen, delivered, dropped) VALUES (?, ?, 1, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, active = 1, seen = excluded.seen,
       delivered = excluded.delivered, dropped = excluded.dropped`,
    );
    this.#hear = db.prepare(
      `INSERT INTO parcel (one, run, number) VALUES (1, ?, ?)
       ON CONFLICT (one) DO UPDATE SET run = excluded.run, number = excluded.number
       WHERE run <> excluded.run OR number < excluded.number`,
    );
    this.#list = db.prepare('INSERT INTO dropped (target, id, at, reason, error) VALUES (?, ?, ?, ?, ?)');
    this.#listSpan = db.prepare(
      `INSERT INTO dropped (target, id, at, reason) SELECT ?1, id, ?2, ?3
       FROM (SELECT seq, id FROM records WHERE seq > ?4 AND seq <= ?5 ORDER BY seq DESC LIMIT ?6) ORDER BY seq`,
    );
    this.#shortenList = db.prepare('DELETE FROM dropped WHERE number <= (SELECT max(number) FROM dropped) - ?');
    for (const { name, account } of readAccounts(db)) ledger.load(name, account);
  }

  /** Targets that an earlier process served, and how far. */
  active(): { readonly name: string; readonly cursor: number }[] {
    const rows = this.#db.prepare('SELECT name, cursor FROM targets WHERE active = 1').all();
    return rows.map((row) => ({ name: String(row['name']), cursor: numberOf(row['cursor']) }));
  }

  save(name: string, cursor: number): void {
    const { seen, delivered, dropped } = this.#ledger.account(name);
    this.#upsert.run(name, cursor, seen - this.#elsewhere(name), delivered, JSON.stringify(dropped));
  }

  /** Notes that a parcel came. @returns false when it came before */
  hear({ run, number }: Parcel): boolean {
    return this.#hear.run(run, number).changes > 0;
  }

  retire(name: string): void {
    this.save(name, 0);
    this.#db.prepare('UPDATE targets SET active = 0 WHERE name = ?').run(name);
    const surplus = 'SELECT name FROM targets WHERE active = 0 ORDER BY name = ? DESC, seen DESC LIMIT -1 OFFSET ?';
    this.#db.prepare(`DELETE FROM targets WHERE name IN (${surplus})`).run(name, RETIRED_ROWS);
  }

  /** @param spoolBytes what all records may take */
  listDropped({ target, id, atEpochMs, reason, error }: DroppedRecord, spoolBytes: number): void {
    this.#list.run(target, id, atEpochMs, reason, error);
    this.#shorten(spoolBytes);
  }

  /** The same of many; of more than are kept the latest. */
  listSpan({ target, after, through, atEpochMs, reason }: DroppedSpan, spoolBytes: number): void {
    this.#listSpan.run(target, atEpochMs, reason, after, through, mostListed(spoolBytes));
    this.#shorten(spoolBytes);
  }

  /** Counts and lists records that never were in the spool. */
  lose(target: string, { counts, latest }: Losses, atEpochMs: number, spoolBytes: number): void {
    this.#ledger.lost(target, counts);
    if (latest.length === 0) return;
    for (const { id, reason } of latest) this.#list.run(target, id, atEpochMs, reason, '');
    this.#shorten(spoolBytes);
  }

  #shorten(spoolBytes: number): void {
    this.#shortenList.run(mostListed(spoolBytes));
  }
}

function mostListed(spoolBytes: number): number {
  return Math.min(LISTED_ROWS, Math.floor((spoolBytes * LISTED_PART) / LISTED_ROW_BYTES));
}

/** What a database says of each target, removed ones included. */
export function readAccounts(db: DatabaseSync): { readonly name: string; readonly account: Account }[] {
  const rows = db.prepare('SELECT name, seen, delivered, dropped FROM targets').all();
  return rows.map((row) => ({
    name: String(row['name']),
    account: {
      seen: numberOf(row['seen']),
      delivered: numberOf(row['delivered']),
      dropped: droppedOf(String(row['dropped'])),
    },
  }));
}

function droppedOf(text: string): Dropped {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return {};
  const counts = new Map(Object.entries(value));
  return Object.fromEntries(
    DROP_REASONS.flatMap((reason) => {
      const records: unknown = counts.get(reason);
      return typeof records === 'number' ? [[reason, records] as const] : [];
    }),
  );
}

/** What cannot be told any more of a damaged file: every record that still waited in it. */
export function lostWith(account: Account): number {
  return Math.max(0, account.seen - account.delivered - sumOf(account.dropped));
}
