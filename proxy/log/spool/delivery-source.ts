/** What waits for one target, as its delivery sees it. */
import type { Extent } from './rows.ts';
import type { Batch, Storage } from './storage.ts';

export interface DeliverySource {
  waiting(): Extent;
  next(limit: Extent): Batch | undefined;
  delivered(batch: Batch): void;
  /** The batch is a single record that the target will never take. */
  refused(batch: Batch, error: unknown): void;
}

export interface SourceListener {
  /** Some records are settled. */
  readonly settled: () => void;
  /** Told of a single record, before `settled`. */
  readonly refused: (batch: Batch, error: unknown) => void;
}

export function deliverySource(storage: Storage, name: string, listener: SourceListener): DeliverySource {
  return {
    waiting: () => storage.waiting(name),
    next: (limit) => storage.batch(name, limit),
    delivered: (batch) => {
      storage.settle(name, batch, 'delivered');
      listener.settled();
    },
    refused: (batch, error) => {
      storage.settle(name, batch, 'refused');
      listener.refused(batch, error);
      listener.settled();
    },
  };
}
