/** When each chunk of an answer's body arrived, and how long it was: two numbers a chunk, bounded, so that a record can be played again. */

export interface RecordedArrivals {
  /** Whole milliseconds since the chunk before; the first one's since the request was received. */
  readonly deltasMs: readonly number[];
  /** Lengths on the wire, in the same order. */
  readonly bytes: readonly number[];
  /** So many chunks are told as one, which came when its last part did; absent: each is told by itself. */
  readonly merged?: number;
}

const FIRST_CHUNKS = 64;
/** 64 KiB a stream. A longer one is told with half the resolution, and again, as often as it takes. */
const MOST_CHUNKS = 8192;

export class Arrivals {
  #atMs = new Uint32Array(FIRST_CHUNKS);
  #bytes = new Uint32Array(FIRST_CHUNKS);
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
      this.#set(this.#entries - 1, atMs, (this.#bytes[this.#entries - 1] ?? 0) + bytes);
      return;
    }
    if (this.#entries === this.#atMs.length) this.#makeRoom();
    this.#inLast = 1;
    this.#set(this.#entries++, atMs, bytes);
  }

  /** @param receivedAt when the request was received, on the same clock. @returns undefined when nothing arrived */
  since(receivedAt: number): RecordedArrivals | undefined {
    if (this.#startedAt === undefined) return undefined;
    let before = 0;
    const deltasMs = Array.from(this.#atMs.subarray(0, this.#entries), (atMs) => {
      const delta = atMs - before;
      before = atMs;
      return delta;
    });
    deltasMs[0] = (deltasMs[0] ?? 0) + Math.max(0, Math.round(this.#startedAt - receivedAt));
    const bytes = Array.from(this.#bytes.subarray(0, this.#entries));
    return { deltasMs, bytes, ...(this.#merged > 1 && { merged: this.#merged }) };
  }

  #set(entry: number, atMs: number, bytes: number): void {
    this.#atMs[entry] = atMs;
    this.#bytes[entry] = bytes;
  }

  #makeRoom(): void {
    if (this.#entries < MOST_CHUNKS) {
      this.#atMs = grown(this.#atMs);
      this.#bytes = grown(this.#bytes);
      return;
    }
    for (let i = 0; i < MOST_CHUNKS; i += 2) {
      this.#set(i / 2, this.#atMs[i + 1] ?? 0, (this.#bytes[i] ?? 0) + (this.#bytes[i + 1] ?? 0));
    }
    this.#entries = MOST_CHUNKS / 2;
    this.#merged *= 2;
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(2 * array.length);
  next.set(array);
  return next;
}
