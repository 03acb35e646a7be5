/** One process a state directory: a second one would take the journal and the records of files away from the first. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeDirectory } from './make-directory.ts';

const LOCK_FILE = 'in-use';
/** SQLITE_BUSY, from sqlite.org/rescode.html. */
const BUSY = 5;

/**
 * Holds the directory until it is closed or the process ends. The lock is the kernel's, taken by SQLite as Node has no other door to
 * one: it goes with the process however that ends, so that nothing stale can stand in the way of a start.
 */
export class StateHold {
  readonly #directory: string;
  #database: DatabaseSync | undefined;
  #held = false;

  /** Takes the directory if nobody has it. */
  constructor(directory: string) {
    this.#directory = directory;
    this.take();
  }

  /** Whether this process may write there. True as well where nothing can be written, as nothing can be taken away there. */
  get held(): boolean {
    return this.#held;
  }

  /** Tries again. @returns whether it is ours now */
  take(): boolean {
    if (this.#held) return true;
    let database: DatabaseSync | undefined;
    try {
      makeDirectory(this.#directory);
      database = new DatabaseSync(join(this.#directory, LOCK_FILE), { timeout: 0 });
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      this.#database = database;
      this.#held = true;
    } catch (error) {
      if (database?.isOpen) database.close();
      this.#held = !(error instanceof Error && 'errcode' in error && error.errcode === BUSY);
    }
    return this.#held;
  }

  close(): void {
    this.#held = false;
    this.#database?.close();
    this.#database = undefined;
  }
}
