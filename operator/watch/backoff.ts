/** Exponential backoff with jitter for connections: many watches that lost the same server must not come back in one instant. */

export interface Backoff {
  /** @returns milliseconds to wait before the next try */
  next(): number;
  reset(): void;
}

/** @param random in [0, 1); half of each step is fixed, the other half drawn */
export function createBackoff(
  { firstMs, mostMs }: { readonly firstMs: number; readonly mostMs: number },
  random: () => number = Math.random,
): Backoff {
  let tries = 0;
  return {
    next() {
      const step = Math.min(mostMs, firstMs * 2 ** Math.min(tries, 30));
      tries += 1;
      return step / 2 + (random() * step) / 2;
    },
    reset() {
      tries = 0;
    },
  };
}
