/** The archive's database: its tables, and how an older one becomes the present one (`user_version`). */
import { DatabaseSync } from 'node:sqlite';
import { UnusableSpoolError } from '../spool/schema.ts';

/** Migrations in order; a database's `user_version` is how many of them it has seen. A published one is never edited. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE records (
    -- In the order in which exchanges ended; never given twice, as pages continue by it.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    exchange TEXT NOT NULL,
    -- When the request was received, in milliseconds since the epoch.
    at INTEGER NOT NULL,
    -- JSON: what is filtered by and shown.
    facts TEXT NOT NULL,
    -- The record as JSON, compressed with zstd.
    json BLOB NOT NULL
  ) STRICT;
  CREATE INDEX records_exchange ON records (exchange);
  CREATE VIRTUAL TABLE texts USING fts5 (prompt, answer, tokenize = "unicode61 remove_diacritics 2");
  -- What is deleted is gone from the index, too, and at once.
  INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1);
  `,
];

/**
 * Opens or makes a database with the present tables.
 * @throws UnusableSpoolError when the file is damaged or of a newer version; what SQLite throws when it cannot be reached
 */
export function openArchive(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    // One process owns an archive. Without a second reader SQLite needs no shared memory file, which a full disk could tear.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = NORMAL');
    db.exec('PRAGMA journal_size_limit = 4194304');
    db.exec('PRAGMA cache_size = -4096');
    db.exec('PRAGMA temp_store = MEMORY');
    // Conversations that are deleted shall not lie around in free pages.
    db.exec('PRAGMA secure_delete = FAST');
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new UnusableSpoolError(`Cannot use the archive: version ${version} is newer than ${MIGRATIONS.length}`);
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
