/** SIGTERM and SIGINT: the first asks to drain, a later one to stop at once. */

export interface StopSignals {
  readonly first: Promise<void>;
  /** Aborts at a later signal. */
  readonly second: AbortSignal;
}

/** On Ctrl-C the terminal signals the whole process group, and npm forwards its own signal as well: one press is two signals. */
const SAME_PRESS_MS = 500;

/** Listens from the moment that it is called. */
export function stopSignals(): StopSignals {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const second = new AbortController();
  let firstAt: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    firstAt ??= now;
    if (now - firstAt > SAME_PRESS_MS) second.abort();
    else resolve();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { first, second: second.signal };
}
