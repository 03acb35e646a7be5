/** Priority of the log's threads: on a busy core they run when the thread that passes bytes on has nothing to do. */
import { getPriority, setPriority } from 'node:os';

/** What `nice` takes by default: beside a thread that never rests one of them still has a tenth of a core, and goes on. */
const STEPS_BACK = 10;
const LAST_STEP = 19;

/**
 * Lowers the priority of the thread that calls it, and of no other: on Linux a priority belongs to a thread (setpriority(2),
 * "C library/kernel differences"). Where that is not allowed or not so, nothing changes.
 */
export function standBack(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Math.min(LAST_STEP, getPriority() + STEPS_BACK));
  } catch {
    // Priorities are a courtesy to streams; the log works without.
  }
}
