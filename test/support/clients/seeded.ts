/** A small seeded generator (mulberry32), so that a failing run can be repeated. */

export interface Seeded {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
}

export function seeded(seed: number): Seeded {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return { next, below, pick: (list) => list[below(list.length)] as (typeof list)[number] };
}

/** Places at which bytes are cut: sorted, at most `most` of them. */
export function randomPlaces(length: number, most: number, random: Seeded): number[] {
  const count = 1 + random.below(most);
  return Array.from({ length: count }, () => random.below(length)).sort((a, b) => a - b);
}

/** Pieces of the bytes, each a buffer of its own as the network would bring it; empty ones are left out. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(Buffer.from(bytes.subarray(from, place)));
    from = Math.max(from, place);
  }
  return pieces;
}
