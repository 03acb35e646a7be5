/** Where a target is in the sequence of records. Values are replaced, never changed. */
import type { Extent } from './rows.ts';

export interface Subscription {
  readonly cursor: number;
  /** What lies beyond the cursor. */
  readonly waiting: Extent;
  /** Of a target that was removed: records beyond this are not for it. */
  readonly end?: number;
}

export const NOTHING: Extent = { records: 0, bytes: 0 };

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
  return [...subscriptions].filter(([, { cursor, end = seq }]) => cursor < seq && seq <= end);
}
