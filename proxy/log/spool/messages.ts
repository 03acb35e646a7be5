/** What the log and the spool's thread say to each other. */
import type { SpooledTarget } from '#contract/compiled-targets.ts';
import type { SpoolEvent } from '../../observe/meters.ts';
import type { Account } from './ledger.ts';
import type { Losses } from './losses.ts';
import type { Extent } from './rows.ts';
import type { StoreOptions } from './store.ts';
import type { Attempt, Careful } from './suspicion.ts';

export interface SpoolConfig extends StoreOptions {
  readonly targets: readonly SpooledTarget[];
  /** Content of the files that the targets name. */
  readonly credentials: ReadonlyMap<string, string>;
}

/** What one `add` is known by, should it come again because the thread ended before its answer. */
export interface Parcel {
  /** Of the process: a random text. */
  readonly run: string;
  /** Rises within a run. */
  readonly number: number;
  /** Records that were lost before they came here, for every target. */
  readonly lost: Losses;
}

export type SpoolRequest =
  /** @param careful of a thread that is new: the targets over which those before it ended */
  | { readonly kind: 'configure'; readonly config: SpoolConfig; readonly careful?: ReadonlyMap<string, Careful> }
  /** Records one after the other in one buffer. Answered by `taken`; only then the next may come. */
  | (Parcel & {
      readonly kind: 'add';
      readonly ids: readonly string[];
      readonly lengths: readonly number[];
      readonly bytes: Uint8Array;
    })
  /** Deliver all that can be delivered at once; answered by `flushed` when nothing waits any more. */
  | { readonly kind: 'flush' }
  /** Answered by a last `report` and `closed`. */
  | { readonly kind: 'close' };

export type SpoolReply =
  /** `durable`: they and `lost` outlive the process. Otherwise `gone` tells of each, and `lost` has to come again. */
  | { readonly kind: 'taken'; readonly durable: boolean }
  | { readonly kind: 'gone'; readonly ids: readonly string[] }
  | { readonly kind: 'report'; readonly report: SpoolReport }
  | { readonly kind: 'attempting'; readonly target: string; readonly attempt: Attempt }
  | { readonly kind: 'attempted'; readonly target: string; readonly settled: boolean }
  | {
      readonly kind: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'event'; readonly event: SpoolEvent }
  | { readonly kind: 'flushed' }
  | { readonly kind: 'closed' };

export interface SpoolReport {
  readonly targets: readonly TargetReport[];
  /** Records whose bodies were taken out for want of room, since the thread started. */
  readonly stripped: number;
  /** Whether records are in memory alone, or would be if they came now. */
  readonly inMemory: boolean;
}

/** One target: account.seen = account.delivered + waiting.records + the sum of account.dropped. */
export interface TargetReport {
  readonly name: string;
  readonly account: Account;
  /** What the account held when the thread found it. */
  readonly base: Account;
  readonly waiting: Extent;
  readonly failing?: { readonly sinceEpochMs: number; readonly error: string };
  /** The config has it no more, and all is said about it. */
  readonly gone?: true;
}
