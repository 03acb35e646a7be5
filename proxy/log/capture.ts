/** Keeps a body's first bytes for the record and counts the rest. It costs next to nothing a chunk. */
import { createHash, type Hash } from 'node:crypto';
import { type Block, BlockPool, NO_BLOCK } from './blocks.ts';

/** Chunks up to this are copied together: a reference keeps some 250 bytes alive beside its own, and the collector busy. */
const COPY_BELOW_BYTES = 8192;

const BLOCK_BYTES = 4096;
/** 64 chunks' arrivals. */
const ARRIVALS_BYTES = 512;

/** Memory that all captures together may hold. Beyond it bodies are counted and digested, and no longer kept. */
export class CaptureBudget {
  /** Where small chunks are copied to. */
  readonly blocks = new BlockPool(BLOCK_BYTES);
  /** Where the moments of chunks are noted, and their lengths. */
  readonly arrivals = new BlockPool(ARRIVALS_BYTES);
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
export type CapturedBody = Pick<BodyCapture, 'sizeBytes' | 'keptBytes' | 'bytes' | 'sha256' | 'copyTo'>;

/** The part of a block, or of a chunk too large for one, that holds the next bytes of a body. */
interface Piece {
  readonly in: Block | Buffer;
  readonly from: number;
  readonly to: number;
}

export class BodyCapture {
  readonly #limitBytes: number;
  readonly #budget: CaptureBudget;
  /** But for the last one, while that grows in its block. */
  #pieces: Piece[] = [];
  /** Those that pieces lie in. */
  #blocks: Block[] = [];
  /** The last of them, which alone has room, and the piece that grows there. */
  #block = NO_BLOCK;
  #growsFrom = 0;
  #growsTo = 0;
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
      for (const part of this.#parts()) this.#hash.update(part);
      this.#hash.update(chunk.subarray(from, to));
      return;
    }
    this.#keptBytes += bytes;
    this.#keep(chunk, from, to);
  }

  /** What was kept, in one buffer. */
  bytes(): Buffer {
    const [only, ...others] = this.#parts();
    if (only !== undefined && others.length === 0 && this.#blocks.length === 0) return only;
    const all = this.#copy();
    this.#giveBlocksBack();
    this.#pieces = [{ in: all, from: 0, to: all.length }];
    return all;
  }

  /** What was kept, into another buffer that has room for it. */
  copyTo(target: Uint8Array, at: number): void {
    let to = at;
    for (const part of this.#parts()) {
      target.set(part, to);
      to += part.length;
    }
  }

  /** What there is by now, in memory of its own; the capture goes on. */
  snapshot(): CapturedBody {
    const [sizeBytes, keptBytes, hash, all] = [this.#sizeBytes, this.#keptBytes, this.#hash?.copy(), this.#copy()];
    const sha256 = (): string => {
      if (this.#digest?.sizeBytes !== sizeBytes) {
        const hex = (hash ?? createHash('sha256').update(all)).digest('hex');
        this.#digest = { sizeBytes, hex };
      }
      return this.#digest.hex;
    };
    return { sizeBytes, keptBytes, bytes: () => all, sha256, copyTo: (target, at) => target.set(all, at) };
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
    this.#giveBlocksBack();
    this.#pieces = [];
    this.#keptBytes = 0;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    if (to - from >= COPY_BELOW_BYTES) {
      this.#closePiece();
      this.#pieces.push({ in: chunk, from, to });
      return;
    }
    for (let at = from; at < to; ) {
      if (this.#block === NO_BLOCK || this.#growsTo === BLOCK_BYTES) this.#openBlock();
      const step = Math.min(BLOCK_BYTES - this.#growsTo, to - at);
      this.#budget.blocks.write(this.#block, this.#growsTo, chunk, at, at + step);
      this.#growsTo += step;
      at += step;
    }
  }

  /** What comes next, in the same block perhaps, is another piece. */
  #closePiece(): void {
    if (this.#growsTo === this.#growsFrom) return;
    this.#pieces.push({ in: this.#block, from: this.#growsFrom, to: this.#growsTo });
    this.#growsFrom = this.#growsTo;
  }

  #openBlock(): void {
    this.#closePiece();
    this.#block = this.#budget.blocks.take();
    this.#blocks.push(this.#block);
    this.#growsFrom = 0;
    this.#growsTo = 0;
  }

  /** All that is kept, in its order; of use until the blocks are given back. */
  #parts(): Buffer[] {
    this.#closePiece();
    return this.#pieces.map(({ in: where, from, to }) =>
      typeof where === 'number' ? this.#budget.blocks.part(where, from, to) : where.subarray(from, to),
    );
  }

  #copy(): Buffer {
    const all = Buffer.allocUnsafeSlow(this.#keptBytes);
    this.copyTo(all, 0);
    return all;
  }

  #giveBlocksBack(): void {
    for (const block of this.#blocks) this.#budget.blocks.giveBack(block);
    this.#blocks = [];
    this.#block = NO_BLOCK;
    this.#growsFrom = 0;
    this.#growsTo = 0;
  }
}

/** Of a body of which nothing is wanted, not even its length. */
class NoCapture extends BodyCapture {
  override push(): void {}
}

export const NO_CAPTURE: BodyCapture = new NoCapture(0, new CaptureBudget(0));
