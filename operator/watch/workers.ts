/** Workers: take a key, look at it, decide when it comes again. The entire policy of outcomes is here. */
import { NotLeadingError } from '../cluster/leader-only.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Reconciled } from '../reconcile.ts';
import type { Key } from './key.ts';
import type { WorkQueue } from './queue.ts';

export interface WorkOptions {
  readonly queue: WorkQueue;
  readonly reconcile: (key: Key, signal: AbortSignal) => Promise<Reconciled>;
  readonly workers: number;
  readonly logger: Logger;
  readonly onReconciled: (outcome: Reconciled['kind'] | 'error', seconds: number) => void;
}

/** Each resource is looked at this often although nothing was heard: objects of ours may have been changed by hand. */
const AGAIN_MS = 30_000;
/** While sidecars have not confirmed, some may have to be told again: soon at first, then ever less often. */
const AGAIN_SOONEST_MS = 1000;

/** Resolves when `signal` aborted and every worker has finished what it was at. */
export async function work(options: WorkOptions, signal: AbortSignal): Promise<void> {
  const worker = async (): Promise<void> => {
    for (;;) {
      const key = await options.queue.take();
      if (key === undefined) return;
      await workOn(key, options, signal);
      options.queue.done(key);
    }
  };
  signal.addEventListener('abort', () => options.queue.close(), { once: true });
  if (signal.aborted) options.queue.close();
  await Promise.all(Array.from({ length: options.workers }, worker));
}

async function workOn(
  key: Key,
  { queue, reconcile, logger, onReconciled }: WorkOptions,
  signal: AbortSignal,
): Promise<void> {
  const startedAtMs = performance.now();
  const seconds = (): number => (performance.now() - startedAtMs) / 1000;
  try {
    const outcome = await reconcile(key, signal);
    queue.forget(key);
    const againMs = nextLook(outcome);
    if (againMs !== undefined) queue.addAfter(key, againMs);
    onReconciled(outcome.kind, seconds());
  } catch (error) {
    if (signal.aborted || error instanceof NotLeadingError) return;
    const retryMs = queue.addRateLimited(key);
    onReconciled('error', seconds());
    logger.warn('Cannot bring a StreamProxy up to date; trying again', { key, error: describeError(error), retryMs });
  }
}

function nextLook(outcome: Reconciled): number | undefined {
  switch (outcome.kind) {
    case 'gone':
      return undefined;
    case 'waiting':
    case 'refused':
      return spread(AGAIN_MS);
    case 'delivered':
      return spread(
        outcome.behindMs === 0 ? AGAIN_MS : Math.min(AGAIN_MS, Math.max(AGAIN_SOONEST_MS, outcome.behindMs / 2)),
      );
  }
}

/** A tenth earlier or later, so that a thousand resources of one start do not come in one instant for ever. */
function spread(ms: number): number {
  return ms * (0.9 + Math.random() / 5);
}
