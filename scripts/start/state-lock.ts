/** One process a state directory: a second one would take the journal and the spool away from the first. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const LOCK_FILE = 'in-use';
/** SQLITE_BUSY, from sqlite.org/rescode.html. */
const BUSY = 5;

/**
 * Holds the directory until the returned function is called or the process ends. The lock is the kernel's, taken by SQLite as Node
 * has no other door to one: it goes with the process however that ends, so that nothing stale can stand in the way of a start.
 * @returns undefined if another process holds it; a directory that cannot be written is not locked, as nothing can be taken away there
 */
export function lockState(directory: string): (() => void) | undefined {
  let database: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
    database = opened;
    opened.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return () => opened.close();
  } catch (error) {
    if (database?.isOpen) database.close();
    return error instanceof Error && 'errcode' in error && error.errcode === BUSY ? undefined : () => undefined;
  }
}
