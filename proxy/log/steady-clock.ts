/**
 * A clock for ages and waits that nobody can set: milliseconds since the epoch as the machine had them when the process began, and
 * even time from there on. What waits is then neither too old nor early because somebody moved the machine's clock.
 */

/** The same in every thread; it stands still only while the machine does. */
function elapsedMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Of the process; its threads are given it, so that one that is started again goes on with the same time. */
export const epochOffsetMs = Date.now() - elapsedMs();

export function steadyClock(offsetMs: number): () => number {
  return () => offsetMs + elapsedMs();
}
