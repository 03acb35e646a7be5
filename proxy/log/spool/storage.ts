/**
 * Where waiting records lie: in the spool's file, and while that cannot be written, within narrower bounds in memory. A damaged
 * file is set aside and a new one begun. Whatever happens to the disk, this never throws.
 */
import { join } from 'node:path';
import type { DropReason } from '../../observe/meters.ts';
import { failureOf } from '../own-database.ts';
import type { DroppedRecord, Ledger } from './ledger.ts';
import type { Parcel } from './messages.ts';
import { SPOOL_FILE, SPOOL_FOLDER } from './place.ts';
import type { Extent, NewRecord, StoredRecord } from './rows.ts';
import { openDatabase } from './schema.ts';
import { makeFolder, setAside } from './set-aside.ts';
import { SpoolStore, type StoreOptions } from './store.ts';

/** What people are told of, once each time that it begins. */
export type StorageEvent =
  /** A damaged file was renamed; `lostRecords` is absent when the file could not even tell. */
  | { readonly event: 'set_aside'; readonly path: string; readonly error: unknown; readonly lostRecords?: number }
  /** Records are held in memory from now on. */
  | { readonly event: 'held_in_memory'; readonly error: unknown }
  | { readonly event: 'on_disk_again' };

export interface StorageServices {
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly tell: (event: StorageEvent) => void;
  /** Told of each record that was in memory alone and is settled for every target. */
  readonly gone: (id: string) => void;
}

export interface Batch {
  readonly records: readonly StoredRecord[];
  readonly store: SpoolStore;
}

/** What a sidecar can afford for records that have no other place. */
const MEMORY_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 2_000;

export class Storage {
  readonly #folder: string;
  readonly #services: StorageServices;
  #options: StoreOptions;
  #disk: SpoolStore | undefined;
  #memory: SpoolStore | undefined;
  #failing = false;
  #retryAt = 0;
  #stripped = 0;
  /** Those of the config. */
  readonly #targets = new Set<string>();
  /** Removed ones that still may take what waits for them. */
  readonly #finishing = new Set<string>();

  /** Opens the file at once, if it can. */
  constructor(stateDirectory: string, options: StoreOptions, services: StorageServices) {
    this.#folder = join(stateDirectory, SPOOL_FOLDER);
    this.#options = options;
    this.#services = services;
    this.#open();
  }

  get usedBytes(): number {
    return (this.#disk?.usedBytes ?? 0) + (this.#memory?.usedBytes ?? 0);
  }

  get stripped(): number {
    return this.#stripped + (this.#disk?.stripped ?? 0) + (this.#memory?.stripped ?? 0);
  }

  /** Whether what comes, or what still waits, is lost with this process. */
  get inMemory(): boolean {
    return this.#failing || (this.#memory?.usedBytes ?? 0) > 0;
  }

  configure(options: StoreOptions): void {
    this.#options = options;
    if (this.#disk !== undefined) this.#disk.options = options;
    if (this.#memory !== undefined) this.#memory.options = heldOptions(options);
  }

  /** Targets that an earlier process wrote down, and those of the config. */
  targets(): Set<string> {
    return new Set([...this.#targets, ...this.#finishing, ...(this.#disk?.targets ?? [])]);
  }

  subscribe(target: string): void {
    this.#finishing.delete(target);
    this.#targets.add(target);
    this.#try((store) => store.subscribe(target));
  }

  finish(target: string): void {
    this.#targets.delete(target);
    this.#finishing.add(target);
    for (const store of this.#stores()) store.finish(target);
  }

  remove(target: string): void {
    this.#targets.delete(target);
    this.#finishing.delete(target);
    this.#try((store) => store.remove(target, this.#services.now()));
  }

  /** @returns whether all outlives this process; otherwise `gone` tells when records are settled, and the parcel's losses are not counted */
  add(records: readonly NewRecord[], parcel?: Parcel): boolean {
    if (this.#addToDisk(records, parcel)) return true;
    const memory = this.#held();
    if (this.#guard(memory, () => memory.add(records, this.#services.now()) ?? true) !== true) this.#lose(records);
    return false;
  }

  waiting(target: string): Extent {
    const waiting = { records: 0, bytes: 0 };
    for (const store of this.#stores()) {
      const { records, bytes } = store.waiting(target);
      waiting.records += records;
      waiting.bytes += bytes;
    }
    return waiting;
  }

  /** The first records that wait for the target; what is in the file goes first. */
  batch(target: string, limit: Extent): Batch | undefined {
    for (const store of this.#stores()) {
      const records = this.#guard(store, () => store.batch(target, limit)) ?? [];
      if (records.length > 0) return { records, store };
    }
    return undefined;
  }

  settle(target: string, { records, store }: Batch, fate: 'delivered' | DropReason): void {
    // Set aside meanwhile: what was in it is counted already.
    if (!this.#stores().includes(store)) return;
    this.#guard(store, () => store.settle(target, records.at(-1)?.seq ?? 0, fate));
    this.#tidyMemory();
  }

  listDropped(dropped: Omit<DroppedRecord, 'atEpochMs'>): void {
    const store = this.#disk ?? this.#held();
    this.#guard(store, () => store.listDropped({ ...dropped, atEpochMs: this.#services.now() }));
  }

  /** Drops what waited too long, removes what everybody took, and gives room back. @returns what is left to keep up */
  upkeep(): 'more' | 'something' | 'nothing' {
    const disk = this.#disk;
    for (const target of disk?.targets ?? []) {
      // Could not be taken off when the config lost it.
      if (!this.#targets.has(target) && !this.#finishing.has(target)) this.remove(target);
    }
    this.#memory?.upkeep(this.#services.now());
    const removed = (disk && this.#guard(disk, () => disk.upkeep(this.#services.now()))) ?? [];
    if (removed.length > 0) return 'more';
    const shrinking = disk !== undefined && this.#guard(disk, () => disk.shrink());
    return shrinking || this.usedBytes > 0 ? 'something' : 'nothing';
  }

  /** Counts what is in memory alone as dropped: it ends with the process. */
  dropHeld(): void {
    for (const target of this.#memory?.targets ?? []) {
      this.#memory?.settle(target, Number.MAX_SAFE_INTEGER, 'shutdown');
    }
  }

  /** The file keeps what waits. */
  close(): void {
    const disk = this.#disk;
    if (disk !== undefined) {
      this.#guard(disk, () => disk.save());
      this.#guard(disk, () => disk.close());
    }
    this.#memory?.close();
  }

  #stores(): SpoolStore[] {
    return [this.#disk, this.#memory].filter((store) => store !== undefined);
  }

  #try(work: (store: SpoolStore) => void): void {
    for (const store of this.#stores()) this.#guard(store, () => work(store));
  }

  #addToDisk(records: readonly NewRecord[], parcel?: Parcel): boolean {
    if (this.#failing && this.#services.now() < this.#retryAt) return false;
    for (let tries = 0; tries < 2; tries++) {
      const store = this.#disk ?? this.#open();
      if (store === undefined) return false;
      const done = this.#guard(store, () => {
        // A second try finds room where the log of changes was.
        if (tries > 0) store.checkpoint();
        // One that could not be written down when the config named it.
        for (const target of this.#targets) store.subscribe(target);
        store.add(records, this.#services.now(), parcel);
        return true;
      });
      if (done !== true) continue;
      this.#works();
      return true;
    }
    return false;
  }

  #open(): SpoolStore | undefined {
    const path = join(this.#folder, SPOOL_FILE);
    try {
      makeFolder(this.#folder);
      const elsewhere = (target: string): number => this.#memory?.waiting(target).records ?? 0;
      this.#disk = new SpoolStore(openDatabase(path), { ...this.#options }, this.#services.ledger, elsewhere);
      for (const target of this.#targets) this.#disk.subscribe(target);
    } catch (error) {
      if (failureOf(error) !== 'unusable') this.#fails(error);
      else if (this.#putAside(error)) return this.#open();
    }
    return this.#disk;
  }

  /** @returns what the work gave, or undefined when it failed; the failure is dealt with */
  #guard<Result>(store: SpoolStore, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (store !== this.#disk) this.#fails(error);
      else if (failureOf(error) === 'unusable') this.#begin(store, error);
      else this.#fails(error);
      return undefined;
    }
  }

  /** A file that turned out to be damaged: what waited in it is lost and counted, and a new one is begun. */
  #begin(store: SpoolStore, error: unknown): void {
    this.#stripped += store.stripped;
    let lostRecords = 0;
    for (const target of store.targets) {
      const { records } = store.waiting(target);
      lostRecords += records;
      this.#services.ledger.dropped(target, 'corrupt', records);
    }
    this.#disk = undefined;
    try {
      store.close();
    } catch {
      // It is renamed all the same.
    }
    if (this.#putAside(error, lostRecords)) this.#open();
  }

  /** @param lostRecords absent: nobody has counted yet what waited in the file. @returns whether the way is free for a new one */
  #putAside(error: unknown, lostRecords?: number): boolean {
    const { ledger, now, tell } = this.#services;
    try {
      const aside = setAside(this.#folder, now(), lostRecords === undefined ? ledger : undefined);
      tell({ event: 'set_aside', error, ...aside, ...(lostRecords !== undefined && { lostRecords }) });
      return true;
    } catch (renameError) {
      this.#fails(renameError);
      return false;
    }
  }

  #fails(error: unknown): void {
    this.#retryAt = this.#services.now() + RETRY_MS;
    if (this.#failing) return;
    this.#failing = true;
    this.#services.tell({ event: 'held_in_memory', error });
  }

  #lose(records: readonly NewRecord[]): void {
    for (const target of this.#targets) {
      this.#services.ledger.saw(target, records.length);
      this.#services.ledger.dropped(target, 'failed', records.length);
    }
    for (const { id } of records) this.#services.gone(id);
  }

  #works(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#services.tell({ event: 'on_disk_again' });
  }

  #held(): SpoolStore {
    if (this.#memory !== undefined) return this.#memory;
    const elsewhere = (target: string): number => this.#disk?.waiting(target).records ?? 0;
    const { ledger, gone } = this.#services;
    this.#memory = new SpoolStore(openDatabase(':memory:'), heldOptions(this.#options), ledger, elsewhere, gone);
    for (const target of this.#targets) this.#memory.subscribe(target);
    return this.#memory;
  }

  /** What is settled leaves the memory at once. */
  #tidyMemory(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    while (memory.upkeep(this.#services.now()).length > 0);
  }
}

function heldOptions(options: StoreOptions): StoreOptions {
  return { ...options, maxBytes: Math.min(options.maxBytes, MEMORY_BYTES), keepMs: 0 };
}
