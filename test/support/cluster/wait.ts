/** Waits for a state of the world: asks again and again until it is there or the bound passes. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Asks `probe` until it gives a value other than undefined.
 * @throws Error that names what was awaited, and the last error that the probe threw
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = 60_000, everyMs = 100 }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`Waiting for ${what} took longer than ${timeoutMs} ms`, { cause: last });
    await sleep(everyMs);
  }
}
