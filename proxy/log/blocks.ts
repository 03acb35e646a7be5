/**
 * Memory in blocks of one size that are used again. A buffer made for each stream costs more than the bytes in it: it lives as
 * long as the stream, is old by then for the collector, and counts towards the next collection of all that is old.
 */

export const BLOCK_BYTES = 4096;
/** Blocks that are made, and let go of, together. */
const ARENA_BLOCKS = 64;

export interface Block {
  readonly bytes: Buffer;
  readonly arena: Arena;
}

interface Arena {
  /** Those that nobody has. */
  readonly free: Block[];
}

export class BlockPool {
  /** Those with a free block; the first one is used first. */
  readonly #open = new Set<Arena>();
  /** All of its blocks are free: one such stays, for whoever comes next. */
  #spare: Arena | undefined;
  #arenas = 0;

  /** Memory that the pool holds, used or not. */
  get heldBytes(): number {
    return this.#arenas * ARENA_BLOCKS * BLOCK_BYTES;
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
    const { arena } = block;
    arena.free.push(block);
    this.#open.add(arena);
    if (arena.free.length < ARENA_BLOCKS) return;
    if (this.#spare === undefined) {
      this.#spare = arena;
      return;
    }
    this.#open.delete(arena);
    this.#arenas--;
  }

  #allocate(): Arena {
    const all = Buffer.allocUnsafeSlow(ARENA_BLOCKS * BLOCK_BYTES);
    const arena: Arena = { free: [] };
    for (let at = 0; at < all.length; at += BLOCK_BYTES) {
      arena.free.push({ bytes: all.subarray(at, at + BLOCK_BYTES), arena });
    }
    this.#open.add(arena);
    this.#arenas++;
    return arena;
  }
}
