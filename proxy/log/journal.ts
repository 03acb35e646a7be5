/**
 * The journal of exchanges that are not over: one line when an exchange opens, written before its request leaves, and marks as
 * it goes on. Lines go to the page cache, without fsync: they outlive this process however it ends, not the node. What a start
 * finds unclosed are the exchanges that the process before took with it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Dialect } from '#contract/dialect.ts';
import { JOURNAL_BYTES } from '#contract/disk-bounds.ts';
import type { StreamEndKind } from '#contract/stream-end.ts';
import { type JournalEntry, readEntries } from './journal-entries.ts';
import { makeDirectory } from './make-directory.ts';

export const JOURNAL_FILE = 'open.ndjson';

/** Marks of one exchange, in the order in which they are written. */
export type JournalMark =
  | {
      readonly mark: 'opened';
      readonly id: string;
      /** Where the exchange began at another hop: its id there. */
      readonly exchange?: string;
      readonly atEpochMs: number;
      readonly method: string;
      /** Path and query, without credentials. */
      readonly target: string;
      readonly dialect: Dialect;
    }
  | {
      readonly mark: 'matched';
      readonly id: string;
      readonly route: string;
      readonly model?: string;
      readonly agent?: string;
      readonly stream: boolean;
    }
  /** This state of its record is about to leave for the targets, while the stream goes on. */
  | { readonly mark: 'partial'; readonly id: string; readonly sequence: number }
  | {
      readonly mark: 'ended';
      readonly id: string;
      readonly end: StreamEndKind;
      readonly status: number;
      readonly afterMs: number;
    }
  /** Its record left for every target, or was counted as dropped. */
  | { readonly mark: 'closed'; readonly id: string };

/** Beyond this the journal is rewritten with what is still open, and the limit grows with that. */
const COMPACT_BYTES = 4 * 1024 * 1024;
const REOPEN_MS = 5000;
/** How often a journal that misses lines is rewritten in vain: where one line found room, all that are open need not. */
const MEND_MS = 5000;
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export class Journal {
  readonly #directory: string;
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #mayWrite: () => boolean;
  /** Lines of the exchanges that are open, to rewrite the journal from. */
  readonly #open = new Map<string, string>();
  #descriptor: number | undefined;
  #reopenAtMs = 0;
  #sizeBytes = 0;
  #compactAtBytes = COMPACT_BYTES;
  #pending = '';
  #flushing: NodeJS.Immediate | undefined;
  /** Whether lines are missing since a write failed, and half a one may stand at the end, until the journal is rewritten. */
  #torn = false;
  #mendAtMs = 0;

  /**
   * @param onFailure told of each line that could not be written; exchanges go on without
   * @param mayWrite whether the directory is ours; while it is another process's the journal is neither read nor written
   */
  constructor(stateDirectory: string, onFailure: (error: unknown) => void, mayWrite: () => boolean = () => true) {
    this.#mayWrite = mayWrite;
    this.#directory = stateDirectory;
    this.#path = join(stateDirectory, JOURNAL_FILE);
    this.#onFailure = onFailure;
  }

  /** Reads what an earlier process left open; those entries stay in the journal until they are closed. */
  recover(): readonly JournalEntry[] {
    if (!this.#mayWrite()) return [];
    try {
      makeDirectory(this.#directory);
      const { entries, lines } = readEntries(readTail(this.#path));
      for (const [id, text] of lines) this.#open.set(id, text);
      this.#compact();
      return entries;
    } catch (error) {
      this.#onFailure(error);
      return [];
    }
  }

  /** Written when this returns, along with what waited: the request must not leave before. */
  now(mark: JournalMark): void {
    this.#keep(mark);
    this.flush();
  }

  /** Written soon, a few together. */
  soon(mark: JournalMark): void {
    this.#keep(mark);
    this.#flushing ??= setImmediate(() => this.flush()).unref();
  }

  flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending === '') return;
    const lines = this.#torn ? `\n${this.#pending}` : this.#pending;
    this.#pending = '';
    try {
      this.#sizeBytes += writeWhole(this.#opened(), lines);
      if (this.#sizeBytes > this.#compactAtBytes || this.#mayMend()) this.#compact();
    } catch (error) {
      this.#torn = true;
      this.#onFailure(error);
    }
  }

  close(): void {
    this.flush();
    try {
      if (this.#mayWrite()) this.#compact();
    } catch (error) {
      this.#onFailure(error);
    }
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#reopenAtMs = Number.POSITIVE_INFINITY;
  }

  #keep(mark: JournalMark): void {
    const line = `${JSON.stringify(mark)}\n`;
    if (mark.mark === 'closed') this.#open.delete(mark.id);
    else this.#open.set(mark.id, this.#before(mark) + line);
    this.#pending += line;
  }

  /** The exchange's earlier lines. Of progress the last line is enough, or a stream of days would have thousands of them. */
  #before({ mark, id }: JournalMark): string {
    const lines = this.#open.get(id) ?? '';
    return mark === 'partial' ? lines.replace(/^\{"mark":"partial".*\n/m, '') : lines;
  }

  #opened(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    if (!this.#mayWrite()) throw new Error('Cannot open the journal: another process has the state directory');
    if (performance.now() < this.#reopenAtMs)
      throw new Error('Cannot open the journal; it is tried again in a few seconds');
    this.#reopenAtMs = performance.now() + REOPEN_MS;
    makeDirectory(this.#directory);
    this.#descriptor = openSync(this.#path, APPEND, 0o600);
    return this.#descriptor;
  }

  /** There is room again: exchanges of the time without are written down late, or found to be over, before a crash tells them. */
  #mayMend(): boolean {
    return this.#torn && performance.now() >= this.#mendAtMs;
  }

  /** A new file with the open exchanges alone takes the old one's place at once. One that fails leaves the old one. */
  #compact(): void {
    // Set first, so that a failing rewrite is not repeated at every line.
    this.#compactAtBytes = this.#sizeBytes + COMPACT_BYTES;
    this.#mendAtMs = performance.now() + MEND_MS;
    const lines = [...this.#open.values()].join('');
    const next = `${this.#path}.next`;
    const descriptor = openSync(next, APPEND | constants.O_TRUNC, 0o600);
    let bytes: number;
    try {
      bytes = writeWhole(descriptor, lines);
      renameSync(next, this.#path);
    } catch (error) {
      closeSync(descriptor);
      rmSync(next, { force: true });
      throw error;
    }
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#torn = false;
    this.#mendAtMs = 0;
    this.#sizeBytes = bytes;
    this.#compactAtBytes = Math.max(COMPACT_BYTES, 4 * this.#sizeBytes);
  }
}

function writeWhole(descriptor: number, text: string): number {
  const bytes = Buffer.from(text);
  let from = 0;
  while (from < bytes.length) from += writeSync(descriptor, bytes, from);
  return bytes.length;
}

/** A journal is read from its end when something made it longer than it can become. */
function readTail(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, JOURNAL_BYTES));
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(descriptor);
  }
}
