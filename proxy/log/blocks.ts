/**
 * Memory in blocks of one size that are used again. A buffer made for each stream costs more than the bytes in it: it lives as
 * long as the stream, is old by then for the collector, and counts towards the next collection of all that is old. And what a
 * stream has of its own is out of every cache by its next event: a block is a number here, and only its bytes are touched.
 */

/** Blocks that are made, and let go of, together: those whose numbers differ in the last bits alone. */
const INDEX_BITS = 6;
const ARENA_BLOCKS = 1 << INDEX_BITS;
const IN_ARENA = ARENA_BLOCKS - 1;

/** Names a block; one that was given back names nobody's. */
export type Block = number;
/** What no block is named. */
export const NO_BLOCK: Block = -1;

interface Arena {
  readonly index: number;
  readonly bytes: Buffer;
  /** The same memory. */
  readonly words: Uint32Array;
  /** Those that nobody has. */
  readonly free: Block[];
}

export class BlockPool {
  readonly blockBytes: number;
  /** By index; a hole is used by the next one. */
  readonly #arenas: (Arena | undefined)[] = [];
  /** Those with a free block; the first one is used first. */
  readonly #open = new Set<Arena>();
  /** All of its blocks are free: one such stays, for whoever comes next. */
  #spare: Arena | undefined;

  /** @param blockBytes a multiple of four */
  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
  }

  /** Memory that the pool holds, used or not. */
  get heldBytes(): number {
    return this.#arenas.filter((arena) => arena !== undefined).length * ARENA_BLOCKS * this.blockBytes;
  }

  /** A block whose content is of no meaning, perhaps somebody else's: nobody may look at what he did not write. */
  take(): Block {
    const [arena = this.#allocate()] = this.#open;
    const block = arena.free.pop();
    if (block === undefined) throw new Error('A block was to be free');
    if (arena.free.length === 0) this.#open.delete(arena);
    if (this.#spare === arena) this.#spare = undefined;
    return block;
  }

  /** Call once: the next one who takes it writes over it. */
  giveBack(block: Block): void {
    const arena = this.#arenaOf(block);
    arena.free.push(block);
    this.#open.add(arena);
    if (arena.free.length < ARENA_BLOCKS) return;
    if (this.#spare === undefined) {
      this.#spare = arena;
      return;
    }
    this.#open.delete(arena);
    this.#arenas[arena.index] = undefined;
  }

  /** Copies `chunk` from `from` to before `to` into the block; it must end within. */
  write(block: Block, at: number, chunk: Buffer, from: number, to: number): void {
    chunk.copy(this.#arenaOf(block).bytes, (block & IN_ARENA) * this.blockBytes + at, from, to);
  }

  /** A part of the block, which is the pool's memory. */
  part(block: Block, from: number, to: number): Buffer {
    const start = (block & IN_ARENA) * this.blockBytes;
    return this.#arenaOf(block).bytes.subarray(start + from, start + to);
  }

  /** @param at which of the block's words of four bytes */
  word(block: Block, at: number): number {
    return this.#arenaOf(block).words[(block & IN_ARENA) * (this.blockBytes >>> 2) + at] ?? 0;
  }

  setWord(block: Block, at: number, value: number): void {
    this.#arenaOf(block).words[(block & IN_ARENA) * (this.blockBytes >>> 2) + at] = value;
  }

  #arenaOf(block: Block): Arena {
    const arena = this.#arenas[block >>> INDEX_BITS];
    if (arena === undefined) throw new Error('The block was given back');
    return arena;
  }

  #allocate(): Arena {
    const hole = this.#arenas.indexOf(undefined);
    const index = hole === -1 ? this.#arenas.length : hole;
    const bytes = Buffer.allocUnsafeSlow(ARENA_BLOCKS * this.blockBytes);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const free = Array.from({ length: ARENA_BLOCKS }, (_, n) => (index + 1) * ARENA_BLOCKS - 1 - n);
    const arena: Arena = { index, bytes, words, free };
    this.#arenas[index] = arena;
    this.#open.add(arena);
    return arena;
  }
}
