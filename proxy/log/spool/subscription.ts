/** Where a target is in the sequence of records. Values are replaced, never changed. */
import type { Extent, Span } from './rows.ts';

export interface Subscription {
  readonly cursor: number;
  /** What lies beyond the cursor. */
  readonly waiting: Extent;
  /** Of a target that was removed: records beyond this are not for it. */
  readonly end?: number;
  /** What came in while it was removed, and is not for it. Not written down: after a restart it is for it all the same. */
  readonly gaps?: readonly Span[];
}

export const NOTHING: Extent = { records: 0, bytes: 0 };

/** Of a target that was removed and is there again: what waited goes on waiting, what comes in after this number is for it. */
export function resumed({ end, gaps = [], ...known }: Subscription, lastSeq: number): Subscription {
  const left = gaps.filter(({ through }) => through > known.cursor);
  if (end === undefined || end >= lastSeq) return { ...known, gaps: left };
  return { ...known, gaps: [...left, { after: end, through: lastSeq }] };
}

/** @returns where that lies which is for the target and which it has not taken, up to this number; in order, none empty */
export function spansOf(
  { cursor, end = Number.MAX_SAFE_INTEGER, gaps = [] }: Subscription,
  throughSeq: number,
): Span[] {
  const last = Math.min(throughSeq, end);
  const starts = [cursor, ...gaps.map(({ through }) => Math.max(cursor, through))];
  const ends = [...gaps.map(({ after }) => Math.min(after, last)), last];
  const spans = starts.map((after, index) => ({ after, through: ends[index] ?? last }));
  return spans.filter(({ after, through }) => after < through);
}

/** With so much less waiting. */
export function lessened(known: Subscription, { records, bytes }: Extent): Subscription {
  return { ...known, waiting: { records: known.waiting.records - records, bytes: known.waiting.bytes - bytes } };
}

/** @returns the number up to which nobody waits for a record */
export function settledThrough(subscriptions: ReadonlyMap<string, Subscription>): number {
  const held = [...subscriptions.values()].filter(({ waiting }) => waiting.records > 0);
  return Math.min(Number.MAX_SAFE_INTEGER, ...held.map(({ cursor }) => cursor));
}

/** Those that have not taken the record of this number. */
export function waitingFor(
  subscriptions: ReadonlyMap<string, Subscription>,
  seq: number,
): (readonly [target: string, Subscription])[] {
  return [...subscriptions].filter(([, each]) =>
    spansOf(each, seq).some(({ after, through }) => after < seq && seq <= through),
  );
}
