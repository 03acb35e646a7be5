/** A SQLite database that one thread of ours owns alone: opened, brought to the present tables, and its failures told apart. */
import { DatabaseSync } from 'node:sqlite';

export interface DatabaseKind {
  /** For people: `spool`, `archive`. */
  readonly what: string;
  /** In order; a database's `user_version` is how many of them it has seen. A published one is never edited. */
  readonly migrations: readonly string[];
  readonly journalBytes: number;
  readonly cacheKib: number;
  /** Pragmas of this kind alone, such as `secure_delete = FAST`. */
  readonly pragmas?: readonly string[];
  /** Whether the whole file is read through before it is used. */
  readonly check?: boolean;
}

/** SQLite's own, of every database that was made so far. */
const PAGE_BYTES = 4096;

/** Thrown when a file holds no database that this version can use. */
export class UnusableDatabaseError extends Error {
  override readonly name = 'UnusableDatabaseError';
}

/**
 * Opens or makes a database with the present tables.
 * @param path a file, or `:memory:`
 * @throws UnusableDatabaseError when the file is damaged or of a newer version; what SQLite throws when it cannot be reached
 */
export function openOwnDatabase(path: string, kind: DatabaseKind): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    // Without a second reader SQLite needs no shared memory file, which a full disk could tear.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL');
    // Survives the end of the process at any moment; a node that loses power may lose the last seconds.
    db.exec('PRAGMA synchronous = NORMAL');
    db.exec(`PRAGMA journal_size_limit = ${kind.journalBytes}`);
    // As seldom as that allows, with room for the transaction by which it is due: each page is written back once for all its changes.
    db.exec(`PRAGMA wal_autocheckpoint = ${Math.floor((0.75 * kind.journalBytes) / PAGE_BYTES)}`);
    db.exec(`PRAGMA cache_size = -${kind.cacheKib}`);
    db.exec('PRAGMA temp_store = MEMORY');
    for (const pragma of kind.pragmas ?? []) db.exec(`PRAGMA ${pragma}`);
    migrate(db, kind);
    if (kind.check) check(db, kind);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: DatabaseSync, { what, migrations }: DatabaseKind): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > migrations.length) {
    throw new UnusableDatabaseError(`Cannot use the ${what}: version ${version} is newer than ${migrations.length}`);
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}

function check(db: DatabaseSync, { what }: DatabaseKind): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (found !== 'ok') throw new UnusableDatabaseError(`Cannot use the ${what}: ${String(found)}`);
}

export function rollBack(db: DatabaseSync): void {
  try {
    if (db.isTransaction) db.exec('ROLLBACK');
  } catch {
    // The failure that brought us here is the one to tell.
  }
}

/** What a failed call of SQLite means for the file. */
export type DatabaseFailure = 'unusable' | 'disk' | 'other';

const SQLITE_UNUSABLE: readonly number[] = [11, 26]; // CORRUPT, NOTADB
const SQLITE_DISK: readonly number[] = [5, 6, 8, 10, 13, 14]; // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN

export function failureOf(error: unknown): DatabaseFailure {
  if (error instanceof UnusableDatabaseError) return 'unusable';
  if (!(error instanceof Error)) return 'other';
  if ('errcode' in error && typeof error.errcode === 'number') {
    const code = error.errcode & 0xff;
    if (SQLITE_UNUSABLE.includes(code)) return 'unusable';
    return SQLITE_DISK.includes(code) ? 'disk' : 'other';
  }
  // What the file system says before SQLite is asked.
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code) ? 'disk' : 'other';
}
