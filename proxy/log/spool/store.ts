/**
 * One database of the spool: the records, and for each target a cursor into them. Every change is one transaction, the counts of
 * the ledger included, so that what a killed process leaves adds up.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { DropReason } from '../../observe/meters.ts';
import { rollBack } from '../own-database.ts';
import { AccountRows } from './account-rows.ts';
import { type DroppedRecord, type Ledger, sumOf } from './ledger.ts';
import type { Parcel } from './messages.ts';
import { type Extent, type NewRecord, RecordRows, type RowFacts, rowBytes, type StoredRecord } from './rows.ts';
import { lessened, NOTHING, resumed, type Subscription, settledThrough, spansOf, waitingFor } from './subscription.ts';

export interface StoreOptions {
  /** Most bytes of the file that records may take; a single longer one is taken all the same. */
  readonly maxBytes: number;
  /** A record that nobody took for so long is dropped. */
  readonly maxAgeMs: number;
  /** How long a record stays after every target took it, as far as there is room. */
  readonly keepMs: number;
}

/** Rows that one transaction of the upkeep handles at most: none shall keep new records waiting. */
const UPKEEP_ROWS = 500;
/** Free pages that stay while records come in: they are about to be used again. */
const BUSY_PAGES = 2048;

export class SpoolStore {
  options: StoreOptions;
  readonly #db: DatabaseSync;
  readonly #ledger: Ledger;
  readonly #rows: RecordRows;
  readonly #accounts: AccountRows;
  readonly #elsewhere: (target: string) => number;
  readonly #gone: (id: string) => void;
  /** Values are replaced, never changed. */
  #subscriptions = new Map<string, Subscription>();
  #stripped = 0;
  /** Records came in since it last looked for room to give back. */
  #busy = false;

  /**
   * @param elsewhere how many records of a target lie in another store: they are no part of what this one writes down
   * @param gone told of each record that is removed
   */
  constructor(
    db: DatabaseSync,
    options: StoreOptions,
    ledger: Ledger,
    elsewhere: (target: string) => number = () => 0,
    gone: (id: string) => void = () => {},
  ) {
    this.#db = db;
    this.options = options;
    this.#ledger = ledger;
    this.#elsewhere = elsewhere;
    this.#gone = gone;
    this.#rows = new RecordRows(db);
    this.#accounts = new AccountRows(db, ledger, elsewhere);
    for (const { name, cursor } of this.#accounts.active()) this.#subscribe(name, cursor);
  }

  get usedBytes(): number {
    return this.#rows.usedBytes;
  }

  /** Of the pages of the file; what `maxBytes` bounds. */
  get takenBytes(): number {
    return this.#rows.takenBytes;
  }

  /** Records whose bodies this process took out for want of room. */
  get stripped(): number {
    return this.#stripped;
  }

  get targets(): readonly string[] {
    return [...this.#subscriptions.keys()];
  }

  waiting(target: string): Extent {
    return this.#subscriptions.get(target)?.waiting ?? NOTHING;
  }

  /** From now on the target gets what comes in; one that is there already, or was about to leave, goes on where it was. */
  subscribe(target: string): void {
    const known = this.#subscriptions.get(target);
    if (known === undefined) this.#transaction(() => this.#subscribe(target, this.#rows.lastSeq()));
    else if (known.end !== undefined) this.#set(target, resumed(known, this.#rows.lastSeq()));
  }

  /** The target still gets what waits for it, and nothing that comes in. */
  finish(target: string): void {
    const known = this.#subscriptions.get(target);
    if (known !== undefined && known.end === undefined) this.#set(target, { ...known, end: this.#rows.lastSeq() });
  }

  /** Takes the target off; what still waits for it is dropped. */
  remove(target: string, atEpochMs: number): void {
    if (this.#subscriptions.has(target)) this.#transaction(() => this.#retire(target, atEpochMs));
  }

  /** Takes records in, for every target. One that is there already is passed over. @throws what SQLite throws; then nothing changed */
  add(records: readonly NewRecord[], atEpochMs: number, parcel?: Parcel): void {
    this.#transaction(() => {
      if (parcel !== undefined && !this.#accounts.hear(parcel)) return;
      for (const [name, { end }] of this.#subscriptions)
        if (parcel !== undefined && end === undefined)
          this.#accounts.lose(name, parcel.lost, atEpochMs, this.options.maxBytes);
      this.#busy = true;
      for (const record of records) {
        if (this.#rows.has(record.id)) continue;
        for (const older of this.#rows.olderStates(record.id)) this.#supersede(older);
        this.#makeRoom(rowBytes(record.json.byteLength), atEpochMs);
        this.#rows.insert(record, atEpochMs);
        const bytes = record.json.byteLength;
        for (const [name, { waiting, ...rest }] of this.#subscriptions) {
          if (rest.end !== undefined) continue;
          this.#ledger.saw(name, 1);
          this.#set(name, { ...rest, waiting: { records: waiting.records + 1, bytes: waiting.bytes + bytes } });
        }
      }
    });
  }

  /** The first records that wait for the target. */
  batch(target: string, limit: Extent): StoredRecord[] {
    const subscription = this.#subscriptions.get(target);
    if (subscription === undefined || subscription.waiting.records === 0) return [];
    return this.#rows.page(spansOf(subscription, Number.MAX_SAFE_INTEGER), limit);
  }

  /**
   * The target is done with every record up to this one.
   * @throws what SQLite throws; the target is done all the same, and it is written down with the next change
   */
  settle(target: string, throughSeq: number, fate: 'delivered' | DropReason): void {
    this.#settle(target, throughSeq, fate);
    this.save();
  }

  /** Writes the counts and cursors down. */
  save(): void {
    this.#transaction(() => {});
  }

  /** Keeps the id of a record that a target does not get. */
  listDropped(dropped: DroppedRecord): void {
    this.#transaction(() => this.#accounts.listDropped(dropped, this.options.maxBytes));
  }

  /**
   * Drops what waited too long, and removes what everybody took.
   * @returns ids of removed records; as many as `UPKEEP_ROWS`: there may be more to do
   */
  upkeep(nowEpochMs: number): string[] {
    const { maxAgeMs, keepMs } = this.options;
    const removable = (): RowFacts[] =>
      this.#rows.stale(
        { through: settledThrough(this.#subscriptions), keptSince: nowEpochMs - keepMs, now: nowEpochMs },
        UPKEEP_ROWS,
      );
    const expired = this.#rows.lastBefore(nowEpochMs - maxAgeMs, settledThrough(this.#subscriptions), UPKEEP_ROWS);
    const known = removable();
    if (expired === undefined && known.length === 0) return [];
    return this.#transaction(() => {
      if (expired !== undefined) this.#dropThrough(expired, 'expired', nowEpochMs);
      const removed = expired === undefined ? known : removable();
      for (const row of removed) this.#remove(row);
      return removed.map(({ id }) => id);
    });
  }

  /** Gives free pages back to the file system, a few at a time. @returns whether there are more */
  shrink(): boolean {
    const needed = this.#busy ? BUSY_PAGES : 0;
    this.#busy = false;
    if (this.#rows.freePages > needed) this.#db.exec('PRAGMA incremental_vacuum(256)');
    return this.#rows.freePages > 0;
  }

  /** Moves what is in the log into the file, which lets a full disk take a little more. */
  checkpoint(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    this.#db.close();
  }

  #subscribe(target: string, cursor: number): void {
    this.#set(target, { cursor, waiting: this.#rows.extent([{ after: cursor, through: Number.MAX_SAFE_INTEGER }]) });
    const { seen, delivered, dropped } = this.#ledger.account(target);
    // A file that was tampered with does not add up, nor does one with gaps (subscription.ts); from here on it does.
    const lost = seen - delivered - sumOf(dropped) - this.waiting(target).records - this.#elsewhere(target);
    if (lost > 0) this.#ledger.dropped(target, 'corrupt', lost);
    else this.#ledger.saw(target, -lost);
  }

  #retire(target: string, atEpochMs: number): void {
    this.#drop(target, Number.MAX_SAFE_INTEGER, 'removed', atEpochMs);
    this.#subscriptions.delete(target);
    this.#accounts.retire(target);
  }

  #settle(target: string, throughSeq: number, fate: 'delivered' | DropReason): void {
    const known = this.#subscriptions.get(target);
    if (known === undefined || throughSeq <= known.cursor) return;
    const through = Math.min(throughSeq, known.end ?? Number.MAX_SAFE_INTEGER, this.#rows.lastSeq());
    const { records, bytes } = this.#rows.extent(spansOf(known, through));
    if (fate === 'delivered') this.#ledger.delivered(target, records);
    else this.#ledger.dropped(target, fate, records);
    this.#set(target, lessened({ ...known, cursor: Math.max(known.cursor, through) }, { records, bytes }));
  }

  #dropThrough(seq: number, reason: DropReason, atEpochMs: number): void {
    for (const target of this.#subscriptions.keys()) this.#drop(target, seq, reason, atEpochMs);
  }

  /** What the target has not taken, up to this one. */
  #drop(target: string, seq: number, reason: DropReason, atEpochMs: number): void {
    const known = this.#subscriptions.get(target);
    for (const span of known === undefined ? [] : spansOf(known, seq)) {
      this.#accounts.listSpan({ target, ...span, atEpochMs, reason }, this.options.maxBytes);
    }
    this.#settle(target, seq, reason);
  }

  /** Policy of a full spool: first what everybody took, then the oldest bodies, then the oldest records. */
  #makeRoom(bytes: number, atEpochMs: number): void {
    while (this.#rows.takenBytes + bytes > this.options.maxBytes) {
      const [oldest] = this.#rows.facts(0, 1);
      if (oldest === undefined) return;
      if (oldest.seq > settledThrough(this.#subscriptions)) {
        if (this.#strip()) continue;
        this.#dropThrough(oldest.seq, 'spool_full', atEpochMs);
      }
      this.#remove(oldest);
    }
  }

  #remove(row: RowFacts): void {
    this.#rows.remove(row);
    this.#gone(row.id);
  }

  #strip(): boolean {
    const stripped = this.#rows.stripNext();
    if (stripped === undefined) return false;
    this.#stripped++;
    const less = { records: 0, bytes: stripped.shorterBytes };
    for (const [name, known] of waitingFor(this.#subscriptions, stripped.seq)) this.#set(name, lessened(known, less));
    return true;
  }

  /** A newer state of the same record came in. A target that leaves the config does not get that one: for it the older stays. */
  #supersede(row: RowFacts): void {
    const waiting = waitingFor(this.#subscriptions, row.seq);
    if (waiting.some(([, { end }]) => end !== undefined)) return;
    for (const [name, known] of waiting) {
      this.#ledger.dropped(name, 'superseded', 1);
      this.#set(name, lessened(known, { records: 1, bytes: row.bytes }));
    }
    this.#remove(row);
  }

  #set(target: string, subscription: Subscription): void {
    this.#subscriptions.set(target, subscription);
  }

  #transaction<Result>(work: () => Result): Result {
    const undo = [this.#ledger.mark(), this.#rows.mark(), this.#mark()];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const result = work();
      for (const [name, { cursor }] of this.#subscriptions) this.#accounts.save(name, cursor);
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      for (const each of undo) each();
      rollBack(this.#db);
      throw error;
    }
  }

  #mark(): () => void {
    const subscriptions = new Map(this.#subscriptions);
    const stripped = this.#stripped;
    return () => {
      this.#subscriptions = subscriptions;
      this.#stripped = stripped;
    };
  }
}
