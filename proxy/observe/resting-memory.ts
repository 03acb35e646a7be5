/**
 * Gives memory back when a burst is over. V8 collects when something is allocated, hence never while nothing happens: after
 * 500 streams a resting process would keep some 130 MiB of garbage for good.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const CHECK_MS = 5_000;
/** Less is not worth the pause, some 50 ms in which nobody is served. */
const WORTH_BYTES = 32 * 1024 * 1024;

export interface RestOptions {
  /** Exchanges that are being served. */
  readonly inFlight: () => number;
  /** Resident memory; absent: this process'. */
  readonly residentBytes?: () => number;
  /** A full collection; absent: V8's. */
  readonly collect?: () => void;
}

/**
 * Looks every five seconds. Between two looks that find nobody served, and memory grown since it was last low, it collects.
 * @returns what ends it
 */
export function giveBackAtRest({ inFlight, residentBytes = ownBytes, collect = collector() }: RestOptions): () => void {
  let lowBytes = residentBytes();
  let resting = false;
  const look = (): void => {
    const wasResting = resting;
    resting = inFlight() === 0;
    if (!resting || !wasResting) return;
    const bytes = residentBytes();
    if (bytes - lowBytes > WORTH_BYTES) collect();
    lowBytes = bytes - lowBytes > WORTH_BYTES ? residentBytes() : Math.min(lowBytes, bytes);
  };
  const timer = setInterval(look, CHECK_MS).unref();
  return () => clearInterval(timer);
}

function ownBytes(): number {
  return process.memoryUsage.rss();
}

/** V8 offers its collector to contexts that are made after the flag was set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => collect({ type: 'major', flavor: 'last-resort' });
}
