/** When each chunk of an answer's body arrived, and how long it was: two numbers a chunk, bounded, so that a record can be played again. */

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
  /** Of the first one, on the clock of `performance.now()`. */
  readonly startedAt: number;
  /** Of each, one after the other: milliseconds since the first, and its length. */
  readonly numbers: Uint32Array;
  readonly merged: number;
}

const FIRST_CHUNKS = 64;
/** 64 KiB a stream. A longer one is told with half the resolution, and again, as often as it takes. */
const MOST_CHUNKS = 8192;

export class Arrivals {
  #numbers = new Uint32Array(2 * FIRST_CHUNKS);
  /** Entries that are complete, but perhaps for the last one. */
  #entries = 0;
  #merged = 1;
  /** Chunks in the last entry. */
  #inLast = 1;
  #startedAt: number | undefined;

  /** @param at clock of `performance.now()` */
  push(at: number, bytes: number): void {
    if (bytes === 0) return;
    this.#startedAt ??= at;
    const atMs = Math.round(at - this.#startedAt);
    if (this.#entries > 0 && this.#inLast < this.#merged) {
      this.#inLast++;
      this.#set(this.#entries - 1, atMs, this.#bytesOf(this.#entries - 1) + bytes);
      return;
    }
    if (2 * this.#entries === this.#numbers.length) this.#makeRoom();
    this.#inLast = 1;
    this.#set(this.#entries++, atMs, bytes);
  }

  /** @returns undefined when nothing arrived */
  soFar(): ArrivalsSoFar | undefined {
    if (this.#startedAt === undefined) return undefined;
    return { startedAt: this.#startedAt, numbers: this.#numbers.slice(0, 2 * this.#entries), merged: this.#merged };
  }

  #set(entry: number, atMs: number, bytes: number): void {
    this.#numbers[2 * entry] = atMs;
    this.#numbers[2 * entry + 1] = bytes;
  }

  #bytesOf(entry: number): number {
    return this.#numbers[2 * entry + 1] ?? 0;
  }

  #makeRoom(): void {
    if (this.#entries < MOST_CHUNKS) {
      const grown = new Uint32Array(2 * this.#numbers.length);
      grown.set(this.#numbers);
      this.#numbers = grown;
      return;
    }
    for (let i = 0; i < MOST_CHUNKS; i += 2) {
      this.#set(i / 2, this.#numbers[2 * (i + 1)] ?? 0, this.#bytesOf(i) + this.#bytesOf(i + 1));
    }
    this.#entries = MOST_CHUNKS / 2;
    this.#merged *= 2;
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
