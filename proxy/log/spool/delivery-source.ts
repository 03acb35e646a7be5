/** What waits for one target, as its delivery sees it. */
import type { DeliverySource } from './delivery.ts';
import type { Batch, Storage } from './storage.ts';

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
