/** Takes a damaged spool out of the way, keeping it for people, and as much of its counts as can still be read. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DAMAGED_SPOOLS } from '#contract/disk-bounds.ts';
import { makeDirectory } from '../make-directory.ts';
import { lostWith, readAccounts } from './account-rows.ts';
import type { Account, Ledger } from './ledger.ts';
import { SPOOL_FILE } from './place.ts';

/** Files that SQLite keeps beside the database. */
const COMPANIONS: readonly string[] = ['-wal', '-shm', '-journal'];

export interface SetAside {
  /** Where the damaged file is now. */
  readonly path: string;
  /** Records that waited in it, over all targets; absent when its counts cannot be read. */
  readonly lostRecords?: number;
}

/** @throws what the file system throws */
export function makeFolder(folder: string): void {
  makeDirectory(folder);
}

/**
 * Renames the spool's file to `spool.db.corrupt-<milliseconds since the epoch>`.
 * @param ledger takes the counts that the file still tells; absent when it knows them already
 * @throws what the file system throws
 */
export function setAside(folder: string, nowEpochMs: number, ledger?: Ledger): SetAside {
  const path = join(folder, SPOOL_FILE);
  const lostRecords = ledger && salvage(path, ledger);
  const aside = `${path}.corrupt-${nowEpochMs}`;
  renameSync(path, aside);
  // Last, as a database without its log of changes is another one than with it.
  for (const end of COMPANIONS) moveIfThere(`${path}${end}`, `${aside}${end}`);
  forgetOldest(folder);
  return { path: aside, ...(lostRecords === undefined ? {} : { lostRecords }) };
}

function salvage(path: string, ledger: Ledger): number | undefined {
  let accounts: readonly { readonly name: string; readonly account: Account }[];
  try {
    const db = new DatabaseSync(path, { readOnly: true, defensive: false });
    try {
      // Otherwise SQLite reads nothing of a file that is shorter than it ought to be.
      db.exec('PRAGMA writable_schema = ON');
      accounts = readAccounts(db);
    } finally {
      db.close();
    }
  } catch {
    return undefined;
  }
  let lost = 0;
  for (const { name, account } of accounts) {
    ledger.load(name, account);
    ledger.dropped(name, 'corrupt', lostWith(account));
    lost += lostWith(account);
  }
  return lost;
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function forgetOldest(folder: string): void {
  const marker = `${SPOOL_FILE}.corrupt-`;
  const files = readdirSync(folder).filter((name) => name.startsWith(marker));
  const times = [...new Set(files.map((name) => name.slice(marker.length).split('-')[0] ?? ''))].sort();
  for (const time of times.slice(0, -DAMAGED_SPOOLS)) {
    for (const name of files) if (name.startsWith(`${marker}${time}`)) rmSync(join(folder, name), { force: true });
  }
}
