/**
 * The archive on its volume: a damaged file is set aside and a new one begun, one that cannot be reached is tried again later.
 * Whatever happens to the disk, this never throws.
 */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CompiledAudit } from '#contract/compiled.ts';
import { makeDirectory } from '../make-directory.ts';
import { failureOf } from '../own-database.ts';
import { AUDIT_FILE, AUDIT_FOLDER } from './place.ts';
import { openArchive } from './schema.ts';
import { AuditStore } from './store.ts';

/** What people are told of, once each time that it begins. */
export type VaultEvent =
  /** A damaged file was renamed; what was in it is no longer found. */
  | { readonly event: 'set_aside'; readonly path: string; readonly error: unknown }
  /** Records are not kept until the file can be written again. */
  | { readonly event: 'failing'; readonly error: unknown }
  | { readonly event: 'works_again' };

/** Files that SQLite keeps beside the database; the database itself first, as its log is nothing without it. */
const ENDS: readonly string[] = ['', '-wal', '-shm', '-journal'];
const RETRY_MS = 5_000;

export class Vault {
  readonly #folder: string;
  readonly #tell: (event: VaultEvent) => void;
  readonly #now: () => number;
  #bounds: CompiledAudit | undefined;
  #store: AuditStore | undefined;
  #failing = false;
  #retryAtMs = 0;

  constructor(stateDirectory: string, tell: (event: VaultEvent) => void, now: () => number = Date.now) {
    this.#folder = join(stateDirectory, AUDIT_FOLDER);
    this.#tell = tell;
    this.#now = now;
  }

  configure(bounds: CompiledAudit): void {
    if (isDeepStrictEqual(bounds, this.#bounds)) return;
    this.#bounds = bounds;
    this.close();
    this.use((store) => store.upkeep(this.#now()));
  }

  /** @returns what the work gave; undefined when it failed, or there is no file to work with; the failure is dealt with */
  use<Result>(work: (store: AuditStore) => Result): Result | undefined {
    for (let tries = 0; tries < 2; tries++) {
      try {
        const store = this.#opened();
        if (store === undefined) return undefined;
        const result = work(store);
        this.#works();
        return result;
      } catch (error) {
        if (failureOf(error) !== 'unusable' || !this.#setAside(error)) {
          this.#fails(error);
          return undefined;
        }
      }
    }
    return undefined;
  }

  close(): void {
    try {
      this.#store?.close();
    } catch {
      // Whatever it is, the file is found as it is at the next start.
    }
    this.#store = undefined;
  }

  #opened(): AuditStore | undefined {
    if (this.#store !== undefined || this.#bounds === undefined) return this.#store;
    if (this.#failing && this.#now() < this.#retryAtMs) return undefined;
    makeDirectory(this.#folder);
    this.#store = new AuditStore(openArchive(join(this.#folder, AUDIT_FILE)), this.#bounds);
    return this.#store;
  }

  /** @returns whether the way is free for a new file; of damaged ones the latest is kept for people */
  #setAside(error: unknown): boolean {
    this.close();
    const marker = `${AUDIT_FILE}.corrupt-`;
    const aside = `${marker}${this.#now()}`;
    try {
      for (const name of readdirSync(this.#folder)) if (name.startsWith(marker)) rmSync(join(this.#folder, name));
      for (const end of ENDS) renameIfThere(join(this.#folder, AUDIT_FILE + end), join(this.#folder, aside + end));
    } catch {
      return false;
    }
    this.#tell({ event: 'set_aside', path: join(this.#folder, aside), error });
    return true;
  }

  #fails(error: unknown): void {
    // A question that cannot be answered says nothing about the file.
    if (failureOf(error) !== 'other') {
      this.close();
      this.#retryAtMs = this.#now() + RETRY_MS;
    }
    if (!this.#failing) this.#tell({ event: 'failing', error });
    this.#failing = true;
  }

  #works(): void {
    if (this.#failing) this.#tell({ event: 'works_again' });
    this.#failing = false;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
