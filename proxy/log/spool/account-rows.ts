/** The ledger's place in the database: one row a target, and the ids of refused records. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { DROP_REASONS } from '../../observe/meters.ts';
import { type Account, type Dropped, type Ledger, sumOf } from './ledger.ts';
import type { Parcel } from './messages.ts';
import { numberOf } from './rows.ts';

/** Removed targets whose counts are kept. */
const RETIRED_ROWS = 64;

export interface RefusedRecord {
  readonly target: string;
  readonly id: string;
  readonly atEpochMs: number;
  readonly error: string;
}

export class AccountRows {
  readonly #db: DatabaseSync;
  readonly #ledger: Ledger;
  readonly #elsewhere: (target: string) => number;
  readonly #upsert: StatementSync;
  readonly #hear: StatementSync;

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

  /** @param keep how many of the latest are kept */
  noteRefused({ target, id, atEpochMs, error }: RefusedRecord, keep: number): void {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO refused (target, id, at, error) VALUES (?, ?, ?, ?)')
      .run(target, id, atEpochMs, error);
    this.#db.prepare('DELETE FROM refused WHERE number <= ?').run(Number(lastInsertRowid) - keep);
  }
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
