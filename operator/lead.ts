/** Holds the lease around the work: nothing is written before it is ours, and it is given back only after the last write. */
import type { Lease } from './lease.ts';

/** How long giving the lease back may take. */
const RELEASE_MS = 3000;

/**
 * Waits for the lease, then works until `signal` aborts or the lease is lost.
 * @param work resolves after its signal aborted
 * @returns which of the two ended it
 */
export async function leadWhileHeld(
  lease: Lease,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<'stopped' | 'lost'> {
  try {
    await lease.acquire(signal);
  } catch (error) {
    if (signal.aborted) return 'stopped';
    throw error;
  }
  const lost = new AbortController();
  const finished = new AbortController();
  const holding = lease.hold(finished.signal).then((end) => {
    if (end === 'lost') lost.abort(new Error('The lease was lost'));
    return end;
  });
  try {
    await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    finished.abort(new Error('The work has ended'));
  }
  const end = await holding;
  await lease.release(AbortSignal.timeout(RELEASE_MS));
  return end;
}
