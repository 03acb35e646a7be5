/** Pure: a change of an object → whether, and which, resources must be looked at again. Level-based: what changed does not matter later. */
import type { StreamProxy } from '#contract/resources.ts';
import type { SecretFacts } from '#contract/secrets.ts';
import type { Key } from './key.ts';
import { isServing, type PodFacts, proxyKeyOf } from './pod-facts.ts';

/** Our own writes of the status come back as changes; they need no second look. */
export function proxyNeedsLook(before: StreamProxy | undefined, after: StreamProxy | undefined): boolean {
  if (!before || !after) return true;
  return before.metadata.uid !== after.metadata.uid || before.metadata.generation !== after.metadata.generation;
}

/** Keys of the resources whose picture of their pods changes. */
export function keysOfPodChange(before: PodFacts | undefined, after: PodFacts | undefined): Key[] {
  if (before && after && samePicture(before, after)) return [];
  const keys = [before, after]
    .filter((pod) => pod !== undefined && pod.proxy !== '')
    .map((pod) => proxyKeyOf(pod as PodFacts));
  return [...new Set(keys)];
}

function samePicture(before: PodFacts, after: PodFacts): boolean {
  if (before.proxy !== after.proxy || before.uid !== after.uid) return false;
  if (!isServing(before) && !isServing(after)) return true;
  return (
    isServing(before) === isServing(after) &&
    before.ip === after.ip &&
    before.run === after.run &&
    before.metricsPort === after.metricsPort
  );
}

export function secretNeedsLook(before: SecretFacts | undefined, after: SecretFacts): boolean {
  if (!before) return true;
  if (!before.exists || !after.exists) return before.exists !== after.exists;
  return before.version !== after.version;
}
