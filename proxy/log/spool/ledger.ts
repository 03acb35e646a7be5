/** Per target: how many records it was to get, and what became of them, over restarts. seen = delivered + waiting + dropped. */
import { DROP_REASONS, type DropReason } from '../../observe/meters.ts';

export type Dropped = Readonly<Partial<Record<DropReason, number>>>;

/** Totals since the spool's file was made; what waits is told by the stores. */
export interface Account {
  readonly seen: number;
  readonly delivered: number;
  readonly dropped: Dropped;
}

const EMPTY: Account = { seen: 0, delivered: 0, dropped: {} };

export interface DroppedRecord {
  readonly target: string;
  /** With its sequence. */
  readonly id: string;
  readonly atEpochMs: number;
  readonly reason: DropReason;
  /** What the target said of it. */
  readonly error: string;
}

export class Ledger {
  /** Values are replaced, never changed: a copy of the map is all that undoing takes. */
  #accounts = new Map<string, Account>();
  readonly #bases = new Map<string, Account>();

  account(name: string): Account {
    return this.#accounts.get(name) ?? EMPTY;
  }

  /** What was taken over from earlier processes. */
  base(name: string): Account {
    return this.#bases.get(name) ?? EMPTY;
  }

  /** Takes over what an earlier process wrote down; what was counted before its file could be read is added. */
  load(name: string, earlier: Account): void {
    this.#accounts.set(name, sumOfBoth(this.account(name), earlier));
    this.#bases.set(name, sumOfBoth(this.base(name), earlier));
  }

  saw(name: string, records: number): void {
    const account = this.account(name);
    this.#accounts.set(name, { ...account, seen: account.seen + records });
  }

  delivered(name: string, records: number): void {
    const account = this.account(name);
    this.#accounts.set(name, { ...account, delivered: account.delivered + records });
  }

  /** Records that were lost before a store saw them. */
  lost(name: string, lost: Dropped): void {
    this.saw(name, sumOf(lost));
    for (const reason of DROP_REASONS) this.dropped(name, reason, lost[reason] ?? 0);
  }

  dropped(name: string, reason: DropReason, records: number): void {
    if (records === 0) return;
    const account = this.account(name);
    const dropped = { ...account.dropped, [reason]: (account.dropped[reason] ?? 0) + records };
    this.#accounts.set(name, { ...account, dropped });
  }

  /** @returns what puts everything back as it is now */
  mark(): () => void {
    const before = new Map(this.#accounts);
    return () => {
      this.#accounts = before;
    };
  }
}

export function sumOf(dropped: Dropped): number {
  return Object.values(dropped).reduce((sum, records) => sum + records, 0);
}

export function droppedInAll(a: Dropped, b: Dropped): Dropped {
  return Object.fromEntries(
    DROP_REASONS.flatMap((reason) => {
      const records = (a[reason] ?? 0) + (b[reason] ?? 0);
      return records > 0 ? [[reason, records] as const] : [];
    }),
  );
}

function sumOfBoth(a: Account, b: Account): Account {
  const dropped = droppedInAll(a.dropped, b.dropped);
  return { seen: a.seen + b.seen, delivered: a.delivered + b.delivered, dropped };
}
