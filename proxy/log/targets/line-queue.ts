/** Records that wait for a target, as lines: bounded in bytes and number, oldest out first. */

import type { DropReason } from '../../observe/meters.ts';

export interface QueueLimits {
  readonly bytes: number;
  readonly records: number;
}

/** What became of a record at one target: it was taken, or it never will be. */
export type Settled = (fate: 'delivered' | DropReason) => void;

export interface QueuedLine {
  readonly bytes: Buffer;
  readonly settled: Settled;
  /** The record's, with its sequence (record-key.ts). */
  readonly id: string;
}

export function idsOf(lines: readonly QueuedLine[]): string[] {
  return lines.map(({ id }) => id);
}

export class LineQueue {
  readonly #limits: QueueLimits;
  #lines: QueuedLine[] = [];
  /** Lines before this index are gone already; moving all of them at each take would cost too much. */
  #first = 0;
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get records(): number {
    return this.#lines.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a line. A single line is taken whatever its size, or a record with two long bodies could never be written.
   * @returns the older ones that had to go
   */
  push(line: QueuedLine): readonly QueuedLine[] {
    const dropped: QueuedLine[] = [];
    const { length } = line.bytes;
    while (this.records > 0 && (this.#bytes + length > this.#limits.bytes || this.records >= this.#limits.records)) {
      dropped.push(...this.take(0));
    }
    this.#lines.push(line);
    this.#bytes += length;
    return dropped;
  }

  /** Takes lines from the front: at least one, and not more than so many bytes. */
  take(maxBytes: number): QueuedLine[] {
    const taken: QueuedLine[] = [];
    let bytes = 0;
    while (this.records > 0) {
      const next = this.#lines[this.#first];
      if (next === undefined || (taken.length > 0 && bytes + next.bytes.length > maxBytes)) break;
      bytes += next.bytes.length;
      taken.push(next);
      this.#shift();
    }
    return taken;
  }

  /** Takes everything away. */
  clear(): QueuedLine[] {
    const taken = this.#lines.slice(this.#first);
    this.#lines = [];
    this.#first = 0;
    this.#bytes = 0;
    return taken;
  }

  #shift(): void {
    this.#bytes -= this.#lines[this.#first]?.bytes.length ?? 0;
    this.#lines[this.#first] = EMPTY;
    this.#first++;
    if (this.#first < 1024 || this.#first * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#first);
    this.#first = 0;
  }
}

/** Stands where a line was taken, so that its memory is free before the array is cut. */
const EMPTY: QueuedLine = { bytes: Buffer.alloc(0), settled: () => {}, id: '' };
