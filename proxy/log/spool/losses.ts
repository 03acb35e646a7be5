/** Records that are lost before they reach the spool's thread, for every target: how many by reason, and which were the latest. */
import type { DropReason } from '../../observe/meters.ts';
import { type Dropped, droppedInAll, sumOf } from './ledger.ts';

export interface LostRecord {
  /** With its sequence. */
  readonly id: string;
  readonly reason: DropReason;
}

export interface Losses {
  readonly counts: Dropped;
  /** Oldest first. */
  readonly latest: readonly LostRecord[];
}

/** The spool lists no more. */
const MOST_LISTED = 1000;

export const NO_LOSSES: Losses = { counts: {}, latest: [] };

export function lossesOf(reason: DropReason, ids: readonly string[]): Losses {
  if (ids.length === 0) return NO_LOSSES;
  return { counts: { [reason]: ids.length }, latest: ids.slice(-MOST_LISTED).map((id) => ({ id, reason })) };
}

/** @param later what was lost after `earlier` */
export function lossesInAll(earlier: Losses, later: Losses): Losses {
  return {
    counts: droppedInAll(earlier.counts, later.counts),
    latest: [...earlier.latest, ...later.latest].slice(-MOST_LISTED),
  };
}

export function isLoss({ counts }: Losses): boolean {
  return sumOf(counts) > 0;
}
