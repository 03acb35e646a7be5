/** When each chunk of an answer's body arrived, and how long it was: two numbers a chunk, bounded, so that a record can be played again. */
import { type Block, type BlockPool, NO_BLOCK } from './blocks.ts';

export interface RecordedArrivals {
  /** Whole milliseconds since the chunk before; the first one's since the request was received. */
  readonly deltasMs: readonly number[];
  /** Lengths on the wire, in the same order. */
  readonly bytes: readonly number[];
  /** So many chunks are told as one, which came when its last part did; absent: each is told by itself. */
  readonly merged?: number;
}

/** The same as it is gathered: plain values of their own. */
export interface ArrivalsSoFar {
  /** Of the first one, on the clock of `performance.now()`, in whole milliseconds. */
  readonly startedAt: number;
  /** Of each, one after the other: milliseconds since the first, and its length. */
  readonly numbers: Uint32Array;
  readonly merged: number;
}

/** 64 KiB a stream. A longer one is told with half the resolution, and again, as often as it takes. */
const MOST_CHUNKS = 8192;
/** Of an entry: milliseconds, and bytes. */
const ENTRY_WORDS = 2;
const ENTRY_BYTES = 8;

export class Arrivals {
  readonly #pool: BlockPool;
  /** Full of entries, but for the last one perhaps. */
  #blocks: Block[] = [];
  #block = NO_BLOCK;
  #inBlock = 0;
  #merged = 1;
  /** Chunks in the last entry. */
  #inLast = 1;
  /** Whole milliseconds: a fraction would be an object of its own, out of every cache by the next chunk. */
  #startedMs = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** @param at clock of `performance.now()` */
  push(at: number, bytes: number): void {
    if (bytes === 0) return;
    const roundedMs = Math.round(at);
    if (this.#block === NO_BLOCK) this.#startedMs = roundedMs;
    const atMs = roundedMs - this.#startedMs;
    if (this.#inLast < this.#merged) {
      this.#inLast++;
      this.#setLast(atMs, this.#lastBytes() + bytes);
      return;
    }
    this.#inLast = 1;
    this.#add(atMs, bytes);
  }

  /** @returns undefined when nothing arrived */
  soFar(): ArrivalsSoFar | undefined {
    if (this.#block === NO_BLOCK) return undefined;
    return { startedAt: this.#startedMs, numbers: this.#numbers(), merged: this.#merged };
  }

  /** Lets go of what was noted. Call when the record was made. */
  release(): void {
    for (const block of this.#blocks) this.#pool.giveBack(block);
    this.#blocks = [];
    this.#block = NO_BLOCK;
    this.#inBlock = 0;
  }

  #add(atMs: number, bytes: number): void {
    if (this.#block === NO_BLOCK || this.#inBlock * ENTRY_BYTES === this.#pool.blockBytes) this.#makeRoom();
    this.#inBlock++;
    this.#setLast(atMs, bytes);
  }

  #setLast(atMs: number, bytes: number): void {
    const word = (this.#inBlock - 1) * ENTRY_WORDS;
    this.#pool.setWord(this.#block, word, atMs);
    this.#pool.setWord(this.#block, word + 1, bytes);
  }

  #lastBytes(): number {
    return this.#pool.word(this.#block, (this.#inBlock - 1) * ENTRY_WORDS + 1);
  }

  #makeRoom(): void {
    if (this.#blocks.length * this.#pool.blockBytes >= MOST_CHUNKS * ENTRY_BYTES) this.#halve();
    else this.#openBlock();
  }

  #openBlock(): void {
    this.#block = this.#pool.take();
    this.#blocks.push(this.#block);
    this.#inBlock = 0;
  }

  /** Tells two entries as one. */
  #halve(): void {
    const numbers = this.#numbers();
    this.release();
    for (let i = 0; i + 3 < numbers.length; i += 2 * ENTRY_WORDS) {
      this.#add(numbers[i + 2] ?? 0, (numbers[i + 1] ?? 0) + (numbers[i + 3] ?? 0));
    }
    this.#merged *= 2;
    this.#openBlock();
  }

  #numbers(): Uint32Array<ArrayBuffer> {
    const { blockBytes } = this.#pool;
    const last = this.#blocks.length - 1;
    const numbers = new Uint32Array((last * blockBytes) / 4 + this.#inBlock * ENTRY_WORDS);
    const bytes = Buffer.from(numbers.buffer);
    for (const [index, block] of this.#blocks.entries()) {
      const used = index === last ? this.#inBlock * ENTRY_BYTES : blockBytes;
      bytes.set(this.#pool.part(block, 0, used), index * blockBytes);
    }
    return numbers;
  }
}

/** @param receivedAt when the request was received, on the same clock */
export function recordArrivals({ startedAt, numbers, merged }: ArrivalsSoFar, receivedAt: number): RecordedArrivals {
  const deltasMs: number[] = [];
  const bytes: number[] = [];
  let beforeMs = -Math.max(0, Math.round(startedAt - receivedAt));
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const atMs = numbers[i] ?? 0;
    deltasMs.push(atMs - beforeMs);
    bytes.push(numbers[i + 1] ?? 0);
    beforeMs = atMs;
  }
  return { deltasMs, bytes, ...(merged > 1 && { merged }) };
}
