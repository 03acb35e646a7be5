/** Keeps a body's first bytes for the record and counts the rest. It takes references, no copies, and costs next to nothing a chunk. */
import { createHash, type Hash } from 'node:crypto';

/** Chunks up to this are copied together: a reference keeps some 250 bytes alive beside its own, and the collector busy. */
const COPY_BELOW_BYTES = 8192;
const FIRST_SLAB_BYTES = 4096;
const LAST_SLAB_BYTES = 65_536;

/** Memory that all captures together may hold. Beyond it bodies are counted and digested, and no longer kept. */
export class CaptureBudget {
  #leftBytes: number;

  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  get leftBytes(): number {
    return this.#leftBytes;
  }

  /** @returns whether so much was left; if so it is taken */
  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** What a body is read from: a capture that is over, or what one held at some moment. */
export type CapturedBody = Pick<BodyCapture, 'sizeBytes' | 'keptBytes' | 'bytes' | 'sha256'>;

export class BodyCapture {
  readonly #limitBytes: number;
  readonly #budget: CaptureBudget;
  #pieces: Buffer[] = [];
  /** Where small chunks are copied to; its first `#slabBytes` are not among the pieces yet. */
  #slab = EMPTY;
  #slabBytes = 0;
  #keptBytes = 0;
  #sizeBytes = 0;
  /** Runs only once the body exceeds what is kept; until then the digest is taken at the end, off the byte's way. */
  #hash: Hash | undefined;
  /** What a snapshot found; a request's body seldom grows any more while its answer is under way. */
  #digest: { readonly sizeBytes: number; readonly hex: string } | undefined;

  /** @param limitBytes how much is kept; chunks are kept whole, so that it can be exceeded by less than one chunk */
  constructor(limitBytes: number, budget: CaptureBudget) {
    this.#limitBytes = limitBytes;
    this.#budget = budget;
  }

  /** Bytes of the whole body so far, kept or not. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The next chunk: the buffer, or the part of it. */
  push(chunk: Buffer, from = 0, to = chunk.length): void {
    const bytes = to - from;
    if (bytes === 0) return;
    this.#sizeBytes += bytes;
    if (this.#hash !== undefined) {
      this.#hash.update(chunk.subarray(from, to));
      return;
    }
    if (this.#keptBytes >= this.#limitBytes || !this.#budget.take(bytes)) {
      this.#hash = createHash('sha256');
      this.#closeSlab();
      for (const piece of this.#pieces) this.#hash.update(piece);
      this.#hash.update(chunk.subarray(from, to));
      return;
    }
    this.#keptBytes += bytes;
    this.#keep(chunk, from, to);
  }

  /** What was kept, in one buffer. */
  bytes(): Buffer {
    this.#closeSlab();
    const [only] = this.#pieces;
    if (this.#pieces.length === 1 && only !== undefined) return only;
    const all = Buffer.concat(this.#pieces, this.#keptBytes);
    this.#pieces = [all];
    return all;
  }

  /** What there is by now, in the same memory; the capture goes on. */
  snapshot(): CapturedBody {
    this.#closeSlab();
    const pieces = [...this.#pieces];
    const [sizeBytes, keptBytes, hash] = [this.#sizeBytes, this.#keptBytes, this.#hash?.copy()];
    let all: Buffer | undefined;
    const bytes = (): Buffer => (all ??= Buffer.concat(pieces, keptBytes));
    const sha256 = (): string => {
      if (this.#digest?.sizeBytes !== sizeBytes) {
        const hex = (hash ?? createHash('sha256').update(bytes())).digest('hex');
        this.#digest = { sizeBytes, hex };
      }
      return this.#digest.hex;
    };
    return { sizeBytes, keptBytes, bytes, sha256 };
  }

  /** Digest of the whole body, kept or not. Call once, when the body is over. */
  sha256(): string {
    if (this.#digest?.sizeBytes === this.#sizeBytes) return this.#digest.hex;
    const hash = this.#hash ?? createHash('sha256').update(this.bytes());
    return hash.digest('hex');
  }

  /** Lets go of what was kept. Call once, when the record was made. */
  release(): void {
    this.#budget.giveBack(this.#keptBytes);
    this.#pieces = [];
    this.#slab = EMPTY;
    this.#slabBytes = 0;
    this.#keptBytes = 0;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const bytes = to - from;
    if (bytes >= COPY_BELOW_BYTES) {
      this.#closeSlab();
      this.#pieces.push(chunk.subarray(from, to));
      return;
    }
    if (this.#slabBytes + bytes > this.#slab.length) {
      const grown = Math.min(LAST_SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, 2 * this.#slab.length));
      this.#closeSlab();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(grown, bytes));
    }
    chunk.copy(this.#slab, this.#slabBytes, from, to);
    this.#slabBytes += bytes;
  }

  /** The slab's filled part becomes a piece; its rest goes on being filled. */
  #closeSlab(): void {
    if (this.#slabBytes === 0) return;
    this.#pieces.push(this.#slab.subarray(0, this.#slabBytes));
    this.#slab = this.#slab.subarray(this.#slabBytes);
    this.#slabBytes = 0;
  }
}

/** Of a body of which nothing is wanted, not even its length. */
class NoCapture extends BodyCapture {
  override push(): void {}
}

const EMPTY = Buffer.alloc(0);

export const NO_CAPTURE: BodyCapture = new NoCapture(0, new CaptureBudget(0));
