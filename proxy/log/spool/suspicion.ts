/**
 * What the spool's thread was doing each time that it ended, kept outside of it: finds the target, and then the record, over which
 * it ends again and again, so that the other targets and records go on. A target that was being served at two ends in a row is
 * served carefully by the next thread: one record at a time, and nobody else meanwhile. A record over which the thread ends twice
 * then is set aside. A target over which it ends whatever the record is left alone for a while.
 */
import { recordKey } from '../record-key.ts';
import type { Batch } from './storage.ts';

/** What is about to be done with a target. */
export interface Attempt {
  /** Of the batch's first record, with its sequence; absent while the target is being opened. */
  readonly id?: string;
  readonly records: number;
  readonly throughSeq: number;
}

/** How a thread has to serve a target over which an earlier one ended. */
export interface Careful {
  /** One record at a time, and alone, up to this one. Absent: no longer. */
  readonly throughSeq?: number;
  /** Most records of a batch afterwards: the former ones were too much at once. @default as the target has it */
  readonly mostRecords?: number;
  /** Id of the record to be set aside, with its sequence. */
  readonly poison?: string;
  /** How long the target is left alone first. */
  readonly pauseMs?: number;
}

interface Suspect {
  /** Ends in a row at which it was being served. */
  readonly ends: number;
  readonly throughSeq: number;
  readonly mostRecords: number;
  /** Ends while it was served alone, over the same record (or over none). */
  readonly alone?: { readonly id: string | undefined; readonly ends: number };
  readonly poison?: string;
  /** Records set aside since it last took one. */
  readonly setAside: number;
  readonly suspended?: true;
}

const CAREFUL_AFTER = 2;
const GUILTY_AFTER = 2;
/** When so many records in a row end the thread, it is not the records. */
const MOST_SET_ASIDE = 3;
const SUSPENDED_MS = 600_000;

export class Suspicion {
  readonly #underWay = new Map<string, Attempt>();
  readonly #suspects = new Map<string, Suspect>();
  readonly #mostRecords = new Map<string, number>();

  attempting(target: string, attempt: Attempt): void {
    this.#underWay.set(target, attempt);
    const suspect = this.#suspects.get(target);
    if (suspect?.poison === undefined || attempt.id === undefined || attempt.id === suspect.poison) return;
    const { poison: _, ...rest } = suspect;
    this.#suspects.set(target, rest);
  }

  /** @param settled whether records were taken, or refused for good */
  attempted(target: string, settled: boolean): void {
    const attempt = this.#underWay.get(target);
    this.#underWay.delete(target);
    const suspect = this.#suspects.get(target);
    if (suspect === undefined || attempt === undefined) return;
    const passed = attempt.throughSeq >= suspect.throughSeq;
    if (suspect.ends >= CAREFUL_AFTER && settled && !passed) {
      const { alone: _, suspended: __, ...rest } = suspect;
      this.#suspects.set(target, { ...rest, setAside: 0 });
      return;
    }
    this.#suspects.delete(target);
    // Each of them passes alone: together they were too much.
    if (suspect.ends >= CAREFUL_AFTER && settled && suspect.setAside === 0 && suspect.mostRecords > 0)
      this.#mostRecords.set(target, suspect.mostRecords);
  }

  /** The thread ended unasked. @returns the targets that it was serving */
  ended(): string[] {
    const targets = [...this.#underWay.keys()];
    for (const [target, attempt] of this.#underWay) {
      const suspect = this.#suspects.get(target) ?? { ends: 0, throughSeq: 0, mostRecords: 0, setAside: 0 };
      const alone = suspect.ends >= CAREFUL_AFTER && this.#underWay.size === 1 && attempt.records <= 1;
      this.#suspects.set(target, alone ? accuse(suspect, attempt) : suspected(suspect, attempt));
    }
    this.#underWay.clear();
    return targets;
  }

  /** For the next thread. */
  careful(): ReadonlyMap<string, Careful> {
    const careful = new Map<string, Careful>();
    for (const [target, mostRecords] of this.#mostRecords) careful.set(target, { mostRecords });
    for (const [target, suspect] of this.#suspects) {
      const { ends, throughSeq, mostRecords, poison, setAside, suspended } = suspect;
      if (ends < CAREFUL_AFTER) continue;
      careful.set(target, {
        throughSeq,
        ...(setAside === 0 && mostRecords > 0 && { mostRecords }),
        ...(poison !== undefined && { poison }),
        ...(suspended && { pauseMs: SUSPENDED_MS }),
      });
    }
    return careful;
  }
}

export function attemptOf(batch: Batch | undefined): Attempt {
  const { records } = batch ?? { records: [] };
  const [first] = records;
  return { ...(first && { id: recordKey(first) }), records: records.length, throughSeq: records.at(-1)?.seq ?? 0 };
}

/** What is said of a target meanwhile. */
export function leftAlone(ms: number): Error {
  return new Error(
    `The spool thread ended over this target again and again: it is left alone for ${ms / 60_000} minutes`,
  );
}

function suspected(suspect: Suspect, { records, throughSeq }: Attempt): Suspect {
  const half = Math.ceil(records / 2);
  return {
    ...suspect,
    ends: suspect.ends + 1,
    throughSeq: Math.max(suspect.throughSeq, throughSeq),
    mostRecords: suspect.mostRecords === 0 ? half : Math.max(1, Math.min(suspect.mostRecords, half)),
  };
}

function accuse(suspect: Suspect, { id }: Attempt): Suspect {
  const ends = (suspect.alone?.id === id ? (suspect.alone?.ends ?? 0) : 0) + 1;
  const accused = { ...suspect, ends: suspect.ends + 1, alone: { id, ends } };
  if (ends < GUILTY_AFTER && suspect.suspended === undefined) return accused;
  if (id === undefined || suspect.setAside >= MOST_SET_ASIDE) return { ...accused, suspended: true };
  return { ...accused, poison: id, setAside: suspect.setAside + 1 };
}
