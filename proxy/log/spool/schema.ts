/** The spool's database: its tables, and how an older one becomes the present one (`user_version`). */
import type { DatabaseSync } from 'node:sqlite';
import { SPOOL_CHANGES_BYTES } from '#contract/disk-bounds.ts';
import { openOwnDatabase } from '../own-database.ts';

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
  `
  -- The last parcel of records that a process handed over: one that comes again is not counted again.
  CREATE TABLE parcel (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run TEXT NOT NULL,
    number INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Ids of the latest records that a target did not get.
  CREATE TABLE dropped (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    -- With its sequence.
    id TEXT NOT NULL,
    -- When it was dropped, in milliseconds since the epoch.
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    -- What the target said, if it was asked.
    error TEXT NOT NULL DEFAULT ''
  ) STRICT;
  INSERT INTO dropped (target, id, at, reason, error)
    SELECT target, id, at, 'refused', error FROM refused ORDER BY number;
  DROP TABLE refused;
  `,
];

/**
 * Opens or makes a spool with the present tables.
 * @param path a file, or `:memory:`
 * @throws UnusableDatabaseError when the file is damaged or of a newer version; what SQLite throws when it cannot be reached
 */
export function openDatabase(path: string): DatabaseSync {
  return openOwnDatabase(path, {
    what: 'spool',
    migrations: MIGRATIONS,
    journalBytes: SPOOL_CHANGES_BYTES,
    cacheKib: 2048,
    check: true,
  });
}
