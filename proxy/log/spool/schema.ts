/** The spool's database: its tables, and how an older one becomes the present one (`user_version`). */
import { DatabaseSync } from 'node:sqlite';

/**
 * Migrations in order; a database's `user_version` is how many of them it has seen. A published one is never edited.
 * `json` stands last in its row: what only looks at the other columns never reads a long record's overflow pages.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE records (
    -- Never given twice, as cursors outlive the rows that they have passed.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The exchange's id: a record that comes again is the same one.
    id TEXT NOT NULL UNIQUE,
    -- When it was taken in, in milliseconds since the epoch.
    at INTEGER NOT NULL,
    -- Length of json.
    bytes INTEGER NOT NULL,
    -- 1 when bodies were taken out to make room.
    stripped INTEGER NOT NULL DEFAULT 0,
    -- The record as UTF-8 text, without newline; CAST(json AS TEXT) reads it.
    json BLOB NOT NULL
  ) STRICT;
  -- Per target: every record up to the cursor is settled; seen = delivered + dropped + what lies beyond the cursor.
  CREATE TABLE targets (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    -- 0 when the config has it no more; its counts stay.
    active INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    -- JSON: reason -> how many.
    dropped TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- Ids of records that a target refused for good.
  CREATE TABLE refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    error TEXT NOT NULL
  ) STRICT;
  `,
];

/** Thrown when a file holds no spool that this version can use. */
export class UnusableSpoolError extends Error {
  override readonly name = 'UnusableSpoolError';
}

/**
 * Opens or makes a database with the present tables.
 * @param path a file, or `:memory:`
 * @throws UnusableSpoolError when the file is damaged or of a newer version; what SQLite throws when it cannot be reached
 */
export function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    // One process owns a spool. Without a second reader SQLite needs no shared memory file, which a full disk could tear.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL');
    // Survives the end of the process at any moment; a node that loses power may lose the last seconds.
    db.exec('PRAGMA synchronous = NORMAL');
    db.exec('PRAGMA journal_size_limit = 8388608');
    db.exec('PRAGMA cache_size = -2048');
    db.exec('PRAGMA temp_store = MEMORY');
    migrate(db);
    const check = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') throw new UnusableSpoolError(`Cannot use the spool: ${String(check)}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new UnusableSpoolError(`Cannot use the spool: version ${version} is newer than ${MIGRATIONS.length}`);
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}

/** What a failed call of SQLite means for the file. */
export type SpoolFailure = 'unusable' | 'disk' | 'other';

const SQLITE_UNUSABLE: readonly number[] = [11, 26]; // CORRUPT, NOTADB
const SQLITE_DISK: readonly number[] = [5, 6, 8, 10, 13, 14]; // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN

export function failureOf(error: unknown): SpoolFailure {
  if (error instanceof UnusableSpoolError) return 'unusable';
  if (!(error instanceof Error)) return 'other';
  if ('errcode' in error && typeof error.errcode === 'number') {
    const code = error.errcode & 0xff;
    if (SQLITE_UNUSABLE.includes(code)) return 'unusable';
    return SQLITE_DISK.includes(code) ? 'disk' : 'other';
  }
  // What the file system says before SQLite is asked.
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code) ? 'disk' : 'other';
}
