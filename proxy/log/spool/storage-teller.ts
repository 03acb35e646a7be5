/** What befalls the spool's file -> a line of our own log, and an event that is counted. */
import type { SpoolReply } from './messages.ts';
import type { StorageEvent } from './storage.ts';

export interface StorageTellerOptions {
  readonly now: () => number;
  readonly send: (reply: SpoolReply) => void;
  /** An error as it may be shown. */
  readonly textOf: (error: unknown) => string;
}

/** A disk that is full now and then would be a line each time. */
const COMPLAINT_MS = 60_000;

export function storageTeller({ now, send, textOf }: StorageTellerOptions): (event: StorageEvent) => void {
  let complainedAt = Number.NEGATIVE_INFINITY;
  return (event) => {
    switch (event.event) {
      case 'set_aside': {
        const { path, lostRecords } = event;
        const fields = { path, problem: textOf(event.error), ...(lostRecords === undefined ? {} : { lostRecords }) };
        const message = 'Found the spool damaged: it was set aside and a new one begun';
        send({ kind: 'log', level: 'error', message, fields });
        send({ kind: 'event', event: 'set_aside' });
        break;
      }
      case 'held_in_memory': {
        send({ kind: 'event', event: 'held_in_memory' });
        if (now() - complainedAt < COMPLAINT_MS) break;
        complainedAt = now();
        const message = 'Cannot write the spool: records are held in memory, and lost with the process';
        send({ kind: 'log', level: 'error', message, fields: { problem: textOf(event.error) } });
        break;
      }
      case 'on_disk_again':
        send({ kind: 'log', level: 'debug', message: 'The spool can be written again', fields: {} });
        break;
    }
  };
}
