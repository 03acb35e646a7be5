/** A cluster whose writes are refused while we do not lead: the last line against two writers. */
import type { Cluster } from './cluster.ts';

export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';
}

/** @param isLeading asked before each write; must not rest on a timer, as a stopped process runs none */
export function leaderOnly(cluster: Cluster, isLeading: () => boolean): Cluster {
  const check = (): void => {
    if (!isLeading())
      throw new NotLeadingError('Cannot write: another operator leads, or the lease could not be renewed');
  };
  return {
    ...cluster,
    async apply(...args) {
      check();
      return cluster.apply(...args);
    },
    async mergePatch(...args) {
      check();
      return cluster.mergePatch(...args);
    },
    async create(...args) {
      check();
      return cluster.create(...args);
    },
    async remove(...args) {
      check();
      return cluster.remove(...args);
    },
    async replace(...args) {
      check();
      return cluster.replace(...args);
    },
  };
}
