/** A target that leaves the config may still take what waits for it. */
import type { Logger } from './logger.ts';

export const DRAIN_MS = 10_000;

export function tellLeaving(logger: Pick<Logger, 'warn'>, target: string, waiting: number): void {
  if (waiting === 0) return;
  const way = `what waits for it is dropped unless it takes it within ${DRAIN_MS / 1000} s`;
  logger.warn(`Log target left the config: ${way}`, { target, waiting });
}
