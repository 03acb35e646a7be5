/** Pure: pod + profile → the pod as the API server shall store it, with the decision. */
import type { SidecarProfile } from '#contract/resources.ts';
import { type Decision, decide } from './decide.ts';
import { applyPatch, injectionPatch } from './patch.ts';
import type { Pod } from './pod.ts';

export function inject(
  pod: Pod,
  profile: SidecarProfile | undefined,
): { readonly decision: Decision; readonly pod: Pod } {
  const decision = decide(pod, profile);
  if (decision.kind !== 'inject') return { decision, pod };
  return { decision, pod: applyPatch(pod, injectionPatch(pod, decision.profile)) };
}
