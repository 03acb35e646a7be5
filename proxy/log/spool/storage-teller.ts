/** What befalls the spool's file -> a line of our own log, and an event that is counted; and how it is at the moment. */
import { join } from 'node:path';
import { diskProblem } from '../disk-problem.ts';
import type { SpoolReply, SpoolReport } from './messages.ts';
import { SPOOL_FILE, SPOOL_FOLDER } from './place.ts';
import type { Storage, StorageEvent } from './storage.ts';

export interface StorageTellerOptions {
  readonly stateDirectory: string;
  readonly now: () => number;
  readonly send: (reply: SpoolReply) => void;
  /** An error as it may be shown. */
  readonly textOf: (error: unknown) => string;
}

/** A disk that is full now and then would be a line each time. */
const COMPLAINT_MS = 60_000;
const ASIDE =
  'Found the spool damaged: it was set aside and a new one begun. What waited in it was not delivered; "sqlite3 <path> .recover" may still show it';
const HELD = 'Cannot write the spool: records are held in memory, and lost with the process';
const AGAIN = 'The spool can be written again; what is in memory is delivered from there';

export function storageTeller(options: StorageTellerOptions): (event: StorageEvent) => void {
  const complaint = new Complaint(options);
  return (event) => {
    switch (event.event) {
      case 'set_aside': {
        const { path, lostRecords = 'unknown' } = event;
        const fields = { path, problem: options.textOf(event.error), lostRecords };
        options.send({ kind: 'log', level: 'error', message: ASIDE, fields });
        options.send({ kind: 'event', event: 'set_aside' });
        break;
      }
      case 'held_in_memory':
        options.send({ kind: 'event', event: 'held_in_memory' });
        complaint.begin(event.error);
        break;
      case 'on_disk_again':
        complaint.end();
        break;
    }
  };
}

/** @param storage absent: not configured yet */
export function stateOf(storage: Storage | undefined): Pick<SpoolReport, 'stripped' | 'inMemory'> {
  return { stripped: storage?.stripped ?? 0, inMemory: storage?.inMemory ?? false };
}

/** That the file cannot be written, and that it can again: at most once a minute, and so that the last line is true. */
class Complaint {
  readonly #options: StorageTellerOptions;
  readonly #path: string;
  #toldAt = Number.NEGATIVE_INFINITY;
  #isTold = false;
  #later: NodeJS.Timeout | undefined;

  constructor(options: StorageTellerOptions) {
    this.#options = options;
    this.#path = join(options.stateDirectory, SPOOL_FOLDER, SPOOL_FILE);
  }

  begin(error: unknown): void {
    const restMs = this.#toldAt + COMPLAINT_MS - this.#options.now();
    if (restMs <= 0) this.#tell(error);
    else this.#later = setTimeout(() => this.#tell(error), restMs).unref();
  }

  end(): void {
    clearTimeout(this.#later);
    if (this.#isTold) this.#options.send({ kind: 'log', level: 'info', message: AGAIN, fields: { path: this.#path } });
    this.#isTold = false;
  }

  #tell(error: unknown): void {
    this.#toldAt = this.#options.now();
    this.#isTold = true;
    const fields = { path: this.#path, problem: diskProblem(error, this.#options.textOf(error)) };
    this.#options.send({ kind: 'log', level: 'error', message: HELD, fields });
  }
}
