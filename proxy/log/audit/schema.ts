/** The archive's database: its tables, and how an older one becomes the present one (`user_version`). */
import type { DatabaseSync } from 'node:sqlite';
import { AUDIT_CHANGES_BYTES } from '#contract/disk-bounds.ts';
import { openOwnDatabase } from '../own-database.ts';

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
  // Which state of the record this is: a higher one takes its place.
  'ALTER TABLE records ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0',
  // What is too old is not what came first: a long stream ends late, and a clock may have been wrong.
  'CREATE INDEX records_at ON records (at)',
];

/**
 * Opens or makes an archive with the present tables.
 * @throws UnusableDatabaseError when the file is damaged or of a newer version; what SQLite throws when it cannot be reached
 */
export function openArchive(path: string): DatabaseSync {
  return openOwnDatabase(path, {
    what: 'archive',
    migrations: MIGRATIONS,
    journalBytes: AUDIT_CHANGES_BYTES,
    cacheKib: 4096,
    // Conversations that are deleted shall not lie around in free pages.
    pragmas: ['secure_delete = FAST'],
  });
}
