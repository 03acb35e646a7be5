/**
 * The end of the listener. A native sidecar is told to stop only after the pod's own containers have ended, so whatever is
 * still in flight, or still comes, belongs to a container that is finishing: it is served, and we leave when it is quiet.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Listener } from './server.ts';

/** How long it has to be quiet: a client may be between two requests. */
const SETTLE_MS = 100;
/** Between telling exchanges that they are over and destroying what is left of them. */
const LAST_WORD_MS = 250;

/** @param signal its abort ends what is in flight */
export async function drain(listener: Listener, signal: AbortSignal): Promise<void> {
  const { exchanges } = listener;
  const expired = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const quiet = async (): Promise<void> => {
    while (!signal.aborted) {
      await exchanges.idle();
      await delay(SETTLE_MS);
      if (exchanges.count === 0) return;
    }
  };
  await Promise.race([quiet(), expired]);
  const closed = listener.close();
  exchanges.interrupt();
  await Promise.race([Promise.all([exchanges.idle(), closed]), delay(LAST_WORD_MS)]);
  listener.destroy();
}
