/** One database of kept records: adds, removes the oldest, and knows what it takes. Every change is one transaction. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { CompiledAudit } from '#contract/compiled.ts';
import { stripBodies } from '../spool/strip.ts';
import type { AuditState } from './messages.ts';
import { type AuditRow, rowOf } from './row.ts';
import { AuditSearch } from './search.ts';

const PAGE_BYTES = 4096;
/** Above this share of the bound the oldest go, so that adding seldom meets the bound itself. */
const FULL = 0.85;
/** Removed in one transaction: as many as one in so many, within limits. */
const REMOVED_SHARE = 50;
const MOST_REMOVED = 200;
/** What removing may take beyond the bound: it writes before it frees. */
const REMOVAL_PAGES = 512;
const FREED_PAGES = 256;
const SQLITE_FULL = 13;
const MOST_TRIES = 50;
/** A record that would take more than this part of the bound is kept without its bodies: it shall not push out all others. */
const LARGEST = 8;

export class AuditStore {
  readonly search: AuditSearch;
  readonly #db: DatabaseSync;
  readonly #bounds: CompiledAudit;
  readonly #insert: StatementSync;
  readonly #index: StatementSync;
  readonly #older: StatementSync;
  readonly #removal: readonly StatementSync[];
  readonly #oldest: StatementSync;
  readonly #expired: StatementSync;
  readonly #pages: StatementSync;
  readonly #state: StatementSync;

  constructor(db: DatabaseSync, bounds: CompiledAudit) {
    this.#db = db;
    this.#bounds = bounds;
    this.search = new AuditSearch(db);
    this.#insert = db.prepare(
      'INSERT INTO records (id, exchange, sequence, at, facts, json) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    );
    this.#index = db.prepare('INSERT INTO texts (rowid, prompt, answer) VALUES (?, ?, ?)');
    this.#older = db.prepare('SELECT seq FROM records WHERE id = ? AND sequence < ?');
    this.#removal = ['records WHERE seq = ?', 'texts WHERE rowid = ?'].map((rows) => db.prepare(`DELETE FROM ${rows}`));
    this.#oldest = db.prepare('SELECT seq FROM records ORDER BY seq LIMIT ?');
    this.#expired = db.prepare('SELECT seq FROM records WHERE at < ? OR at > ? LIMIT ?');
    this.#pages = db.prepare(
      'SELECT page_count AS pages, freelist_count AS free FROM pragma_page_count(), pragma_freelist_count()',
    );
    this.#state = db.prepare(
      'SELECT (SELECT count(*) FROM records) AS records, (SELECT min(at) FROM records) AS oldest',
    );
    this.#limitPages(0);
  }

  get usedBytes(): number {
    const { pages = 0, free = 0 } = this.#pages.get() ?? {};
    return (Number(pages) - Number(free)) * PAGE_BYTES;
  }

  state(): AuditState {
    const { records = 0, oldest } = this.#state.get() ?? {};
    const since = typeof oldest === 'number' ? { oldest: new Date(oldest).toISOString() } : {};
    return { records: Number(records), usedBytes: this.usedBytes, ...since };
  }

  /** Keeps records, of each the newest state; one that is there already is passed over. @throws what SQLite throws; then none of them was added */
  add(records: readonly Uint8Array[]): void {
    const rows = records.flatMap((json) => readable(json, this.#bounds.maxBytes / LARGEST) ?? []);
    this.#makeRoom();
    for (let tries = 1; ; tries++) {
      try {
        this.#transaction(() => {
          for (const row of rows) this.#addRow(row);
        });
        return;
      } catch (error) {
        if (!this.#isFull(error) || tries === MOST_TRIES || !this.#removeOldest()) throw error;
      }
    }
  }

  /**
   * Removes what is too old, and what is as far in the future: a process with a wrong clock left it, and it would never be old.
   * @param nowEpochMs by the steady clock
   * @param setEpochMs by the machine's clock, which is the one that records are dated by. @default nowEpochMs
   * @returns whether there may be more to remove
   */
  upkeep(nowEpochMs: number, setEpochMs = nowEpochMs): boolean {
    this.#db.exec(`PRAGMA incremental_vacuum(${FREED_PAGES})`);
    const { maxAgeMs } = this.#bounds;
    // The later of both: a clock that was put right since this process began makes no present record one of the future.
    const latest = Math.max(nowEpochMs, setEpochMs) + maxAgeMs;
    if (this.#expired.get(nowEpochMs - maxAgeMs, latest, 1) === undefined) return this.#makeRoom();
    return this.#remove(this.#expired.all(nowEpochMs - maxAgeMs, latest, this.#mostAtOnce()));
  }

  close(): void {
    this.#db.close();
  }

  #addRow(row: AuditRow): void {
    const { id, exchange, sequence, atEpochMs, facts, json, prompt, answer } = row;
    const { changes, lastInsertRowid } = this.#insert.run(id, exchange, sequence, atEpochMs, facts, json);
    if (changes > 0) this.#index.run(lastInsertRowid, prompt, answer);
    else if (this.#removeOlder(row)) this.#addRow(row);
  }

  /** The newer state is a row of its own: it is the newest that came in, and found as that. @returns whether there was an older one */
  #removeOlder({ id, sequence }: AuditRow): boolean {
    const older = this.#older.get(id, sequence);
    if (older === undefined) return false;
    this.#removeRow(Number(older['seq']));
    return true;
  }

  #removeRow(seq: number): void {
    for (const statement of this.#removal) statement.run(seq);
  }

  #makeRoom(): boolean {
    let removed = false;
    while (this.usedBytes > this.#bounds.maxBytes * FULL && this.#removeOldest()) removed = true;
    return removed;
  }

  /** @returns whether any was there */
  #removeOldest(): boolean {
    return this.#remove(this.#oldest.all(this.#mostAtOnce()));
  }

  #mostAtOnce(): number {
    return Math.min(MOST_REMOVED, Math.ceil(this.state().records / REMOVED_SHARE));
  }

  /** @returns whether there were any */
  #remove(rows: readonly Readonly<Record<string, SQLOutputValue>>[]): boolean {
    if (rows.length === 0) return false;
    this.#limitPages(REMOVAL_PAGES);
    try {
      this.#transaction(() => {
        for (const { seq } of rows) this.#removeRow(Number(seq));
      });
    } finally {
      this.#limitPages(0);
    }
    return true;
  }

  /** Whether it was our bound, and not the disk: that others fill the disk is no reason to remove what is kept. */
  #isFull(error: unknown): boolean {
    const isFull = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_FULL;
    return isFull && this.usedBytes > this.#bounds.maxBytes / 2;
  }

  /** SQLite itself holds the file to the bound, whatever our sums say. */
  #limitPages(more: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.floor(this.#bounds.maxBytes / PAGE_BYTES) + more}`);
  }

  #transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

/** One record that cannot be read keeps no other from being kept. */
function readable(json: Uint8Array, mostBytes: number): AuditRow | undefined {
  try {
    return rowOf(json.byteLength > mostBytes ? (stripBodies(json) ?? json) : json);
  } catch {
    return undefined;
  }
}
