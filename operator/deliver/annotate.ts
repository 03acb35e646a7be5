/**
 * Tells kubelets that a pod's Secret changed: a change of the pod makes them refresh its volumes at once, where they would
 * look again after a minute or more. It must come after the Secret was written.
 */
import { REVISION_ANNOTATION } from '#contract/names.ts';
import { hasStatus } from '../cluster/api-error.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS } from '../cluster/kinds.ts';
import type { Limiter } from '../limiter.ts';
import { isServing, type PodFacts } from '../watch/pod-facts.ts';

/** A kubelet can hear of the pod before it hears of the Secret and read the old one; it is told again after these times, then each five minutes. */
const AGAIN_AFTER_MS = [2000, 8000, 30_000];
const AGAIN_EVERY_MS = 300_000;

export interface Telling {
  readonly revision: string;
  /** How long the pod has been behind; 0 when it is not. */
  readonly behindMs: (pod: PodFacts) => number;
}

/**
 * @returns the annotation's new value, or undefined when it may stay: `<revision>`, or `<revision>.<n>` when told n times more
 */
export function nextAnnotation(current: string, revision: string, behindMs: number): string | undefined {
  const [told, again = '0'] = current.split('.');
  if (told !== revision) return revision;
  const times = Number(again);
  if (!Number.isSafeInteger(times)) return revision;
  const last = AGAIN_AFTER_MS.at(-1) ?? 0;
  const dueMs = AGAIN_AFTER_MS[times] ?? last + (times - AGAIN_AFTER_MS.length + 1) * AGAIN_EVERY_MS;
  return behindMs >= dueMs ? `${revision}.${times + 1}` : undefined;
}

/**
 * Annotates every serving pod that has not been told of the revision.
 * @returns how many were told
 * @throws AggregateError with what failed, after all were tried
 */
export async function annotatePods(
  { cluster, limit }: { readonly cluster: Cluster; readonly limit: Limiter },
  pods: readonly PodFacts[],
  telling: Telling,
  signal: AbortSignal,
): Promise<number> {
  const due = pods.filter(isServing).flatMap((pod) => {
    const value = nextAnnotation(pod.revisionAnnotation, telling.revision, telling.behindMs(pod));
    return value === undefined ? [] : [{ pod, value }];
  });
  const outcomes = await Promise.allSettled(
    due.map((each) => limit(() => annotate(cluster, each.pod, each.value, signal))),
  );
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  if (failures.length > 0)
    throw new AggregateError(
      failures,
      `Cannot annotate ${failures.length} of ${due.length} pods: ${String(failures[0])}`,
    );
  return due.length;
}

async function annotate(cluster: Cluster, pod: PodFacts, value: string, signal: AbortSignal): Promise<void> {
  // With its uid, so that a pod that has come since under the same name is left alone.
  const body = { metadata: { uid: pod.uid, annotations: { [REVISION_ANNOTATION]: value } } };
  try {
    await cluster.mergePatch(KINDS.pod, pod, body, signal);
  } catch (error) {
    if (!hasStatus(error, 404, 409)) throw error;
  }
}
