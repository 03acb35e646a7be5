/** One database of kept records: adds, removes the oldest, and knows what it takes. Every change is one transaction. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
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
    this.#oldest = db.prepare('SELECT seq, at FROM records ORDER BY seq LIMIT ?');
    this.#pages = db.prepare(
      'SELECT page_count AS pages, freelist_count AS free FROM pragma_page_count(), pragma_freelist_count()',
    );
    // The first row's time in place of the least one, for which every row would have to be read.
    this.#state = db.prepare(
      'SELECT (SELECT count(*) FROM records) AS records, (SELECT at FROM records ORDER BY seq LIMIT 1) AS oldest',
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

  /** Removes what is too old. @returns whether there may be more to remove */
  upkeep(nowEpochMs: number): boolean {
    this.#db.exec(`PRAGMA incremental_vacuum(${FREED_PAGES})`);
    const oldest = this.#oldest.get(1);
    if (oldest === undefined || Number(oldest['at']) >= nowEpochMs - this.#bounds.maxAgeMs) return this.#makeRoom();
    return this.#removeOldest((at) => at < nowEpochMs - this.#bounds.maxAgeMs);
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
  #removeOldest(isRemoved: (atEpochMs: number) => boolean = () => true): boolean {
    const { records } = this.state();
    const rows = this.#oldest.all(Math.min(MOST_REMOVED, Math.ceil(records / REMOVED_SHARE)));
    const numbers = rows.filter(({ at }) => isRemoved(Number(at))).map(({ seq }) => Number(seq));
    if (numbers.length === 0) return false;
    this.#limitPages(REMOVAL_PAGES);
    try {
      this.#transaction(() => {
        for (const seq of numbers) this.#removeRow(seq);
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
