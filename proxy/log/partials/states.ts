/**
 * The newest record of each running stream, as a file in the state directory: what a stream had said when its process was killed.
 * Bounded; a stream beyond the bound is recorded all the same, and a crash leaves of it what its journal lines tell.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTIALS_BYTES } from '#contract/disk-bounds.ts';
import { makeDirectory } from '../make-directory.ts';
import { type PartialRecord, RECORD_VERSION } from '../record.ts';

export const PARTIALS_FOLDER = 'partials';

/** Ids are UUIDs; nothing else becomes a file's name. */
const ID = /^[0-9a-f-]{1,64}$/;
const NEXT = '.next';

export interface PartialStatesOptions {
  /** Whether the state directory is ours. @default always */
  readonly mayWrite?: () => boolean;
  /** All files together. @default 64 MiB */
  readonly mostBytes?: number;
}

export class PartialStates {
  readonly #folder: string;
  readonly #mayWrite: () => boolean;
  readonly #mostBytes: number;
  readonly #onFailure: (error: unknown) => void;
  /** Bytes of each file. */
  readonly #kept = new Map<string, number>();
  /** Streams that ended while their file was being written. */
  readonly #overtaken = new Set<string>();
  #writing: string | undefined;
  #made = false;

  /** @param onFailure told of each file that could not be written, read or removed */
  constructor(
    stateDirectory: string,
    onFailure: (error: unknown) => void,
    { mayWrite = () => true, mostBytes = PARTIALS_BYTES }: PartialStatesOptions = {},
  ) {
    this.#folder = join(stateDirectory, PARTIALS_FOLDER);
    this.#onFailure = onFailure;
    this.#mayWrite = mayWrite;
    this.#mostBytes = mostBytes;
  }

  /** Takes over what an earlier process left of these exchanges, and removes everything else. Call once, before all others. */
  recover(ids: ReadonlySet<string>): void {
    try {
      for (const name of readdirSync(this.#folder)) {
        if (ids.has(name)) this.#kept.set(name, statSync(join(this.#folder, name)).size);
        else this.#remove(name);
      }
    } catch (error) {
      if (!isMissing(error)) this.#onFailure(error);
    }
  }

  /** @returns what an earlier process had recorded of this exchange; undefined when it is not there or cannot be read */
  read(id: string): PartialRecord | undefined {
    if (!this.#kept.has(id)) return undefined;
    try {
      const record = JSON.parse(readFileSync(join(this.#folder, id), 'utf8')) as PartialRecord;
      return record.version === RECORD_VERSION && record.id === id && record.partial ? record : undefined;
    } catch (error) {
      this.#onFailure(error);
      return undefined;
    }
  }

  /** Replaces what was kept of the exchange. One call after the other. Never rejects. @param line with its newline */
  async keep(id: string, line: Buffer): Promise<void> {
    const others = this.#total() - (this.#kept.get(id) ?? 0);
    if (!this.#mayWrite() || !ID.test(id) || others + line.length > this.#mostBytes) return;
    const path = join(this.#folder, id);
    this.#writing = id;
    try {
      if (!this.#made) makeDirectory(this.#folder);
      this.#made = true;
      await writeFile(path + NEXT, line, { mode: 0o600 });
      // The old one's place is taken at once, so that a crash finds the one or the other.
      await rename(path + NEXT, path);
      this.#kept.set(id, line.length);
    } catch (error) {
      this.#made = false;
      this.#onFailure(error);
    }
    this.#writing = undefined;
    if (this.#overtaken.delete(id)) this.forget(id);
  }

  /** The exchange needs it no more. */
  forget(id: string): void {
    if (this.#writing === id) this.#overtaken.add(id);
    else if (this.#kept.delete(id)) this.#remove(id);
  }

  #total(): number {
    let bytes = 0;
    for (const each of this.#kept.values()) bytes += each;
    return bytes;
  }

  #remove(name: string): void {
    rm(join(this.#folder, name), { force: true }).catch(this.#onFailure);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
