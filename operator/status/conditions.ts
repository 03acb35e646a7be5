/** Pure: what was found, delivered and confirmed → the conditions of a StreamProxy. Times are kept while nothing changed. */
import { CONDITION_REASONS, CONDITION_TYPES } from '#contract/conditions.ts';
import type { Finding } from '#contract/finding.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { PodState } from '../confirm/rollout.ts';

export type Status = NonNullable<StreamProxy['status']>;
export type Condition = NonNullable<Status['conditions']>[number];
type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

export interface Outcome {
  /** undefined: it could not be compiled, so these conditions stay as they were. */
  readonly findings: readonly Finding[] | undefined;
  /** What the sidecars shall run. */
  readonly revision: string | undefined;
  /** Why the revision could not be delivered. */
  readonly failure: string | undefined;
  readonly pods: readonly PodState[];
  /** Present: the pods are a gateway's. */
  readonly gateway?: { readonly deployment: string; readonly replicas: number; readonly url: string };
}

/** Sidecars may take this long before they are called stale or unreachable: kubelets are busy, processes start. */
const GRACE_MS = 10_000;
const MOST_FINDINGS = 10;
const MOST_PODS = 5;

/**
 * @param before the conditions so far; those that are not ours are not among the result
 * @param now for transitions
 */
export function conditionsOf(
  outcome: Outcome,
  generation: number,
  before: readonly Condition[],
  now: Date,
): Condition[] {
  const verdicts = [
    ...(outcome.findings ? [accepted(outcome.findings), resolvedRefs(outcome.findings)] : []),
    programmed(outcome),
    ...targetsReady(
      outcome.pods,
      before.some(({ type }) => type === CONDITION_TYPES.targetsReady),
    ),
  ];
  const fresh = verdicts.map((verdict): Condition => {
    const last = before.find(({ type }) => type === verdict.type);
    const lastTransitionTime =
      last?.status === verdict.status ? last.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z');
    return { ...verdict, observedGeneration: generation, lastTransitionTime };
  });
  const ours: readonly string[] = Object.values(CONDITION_TYPES);
  const kept = before.filter(({ type }) => ours.includes(type) && !fresh.some((condition) => condition.type === type));
  return [...fresh, ...kept].sort((a, b) => ours.indexOf(a.type) - ours.indexOf(b.type));
}

function accepted(findings: readonly Finding[]): Verdict {
  const type = CONDITION_TYPES.accepted;
  const own = findings.filter(({ kind }) => kind === 'value');
  if (own.length === 0)
    return {
      type,
      status: 'True',
      reason: CONDITION_REASONS.accepted,
      message: 'Every part of the spec can work as written.',
    };
  return { type, status: 'False', reason: CONDITION_REASONS.partiallyInvalid, message: listFindings(own) };
}

function resolvedRefs(findings: readonly Finding[]): Verdict {
  const type = CONDITION_TYPES.resolvedRefs;
  const own = findings.filter(({ kind }) => kind === 'reference');
  const [first] = own;
  if (!first)
    return {
      type,
      status: 'True',
      reason: CONDITION_REASONS.resolvedRefs,
      message: 'Everything that the spec names was found.',
    };
  return { type, status: 'False', reason: first.reason, message: listFindings(own) };
}

function programmed({ revision, failure, pods, gateway }: Outcome): Verdict {
  const type = CONDITION_TYPES.programmed;
  if (failure !== undefined)
    return { type, status: 'False', reason: CONDITION_REASONS.deliveryFailed, message: failure };
  const behind = pods.filter(({ state }) => state !== 'current');
  const running = `Revision ${revision} runs in ${pods.length - behind.length} of ${pods.length} ${gateway ? 'gateway pods' : 'sidecars'}`;
  if (gateway && pods.length === 0 && gateway.replicas !== 0) {
    const message = `Revision ${revision} is delivered; no pod of Deployment "${gateway.deployment}" runs yet.`;
    return { type, status: 'False', reason: CONDITION_REASONS.rollingOut, message };
  }
  if (behind.length === 0) {
    const message =
      pods.length === 0 ? `Revision ${revision} is delivered; no pod runs the sidecar yet.` : `${running}.`;
    return { type, status: 'True', reason: CONDITION_REASONS.programmed, message };
  }
  const late = behind.filter(
    ({ behindMs, problem, state }) => behindMs >= GRACE_MS || (state === 'stale' && problem !== undefined),
  );
  if (late.length === 0)
    return {
      type,
      status: 'False',
      reason: CONDITION_REASONS.rollingOut,
      message: `${running}; the others have not confirmed it yet.`,
    };
  const isStale = late.some(({ state }) => state === 'stale');
  const reason = isStale ? CONDITION_REASONS.podsStale : CONDITION_REASONS.podsUnreachable;
  return { type, status: 'False', reason, message: `${running}. Not in ${listPods(late)}.` };
}

/** @param known whether a target has failed before: otherwise there is nothing to say of those that work */
function targetsReady(pods: readonly PodState[], known: boolean): Verdict[] {
  const type = CONDITION_TYPES.targetsReady;
  const errors = new Map<string, { error: string; pods: number }>();
  for (const { name, error } of pods.flatMap((pod) => pod.failingTargets)) {
    const seen = errors.get(name);
    errors.set(name, { error, pods: (seen?.pods ?? 0) + 1 });
  }
  if (errors.size > 0) {
    const shown = [...errors].slice(0, MOST_FINDINGS).map(([name, failing]) => {
      return `Target "${name}" takes no records from ${failing.pods} of ${pods.length} pods, where they wait as far as the spool has room: ${failing.error.replace(/\.$/, '')}.`;
    });
    return [{ type, status: 'False', reason: CONDITION_REASONS.targetFailing, message: shown.join(' ') }];
  }
  if (!known) return [];
  return [{ type, status: 'True', reason: CONDITION_REASONS.targetsReady, message: 'Every log target takes records.' }];
}

function listFindings(findings: readonly Finding[]): string {
  const shown = findings.slice(0, MOST_FINDINGS).map(({ path, message }) => `${path}: ${message}`);
  const rest = findings.length - shown.length;
  return [...shown, ...(rest > 0 ? [`And ${rest} more.`] : [])].join(' ');
}

/** Stale ones first: they can be mended. */
function listPods(late: readonly PodState[]): string {
  const ordered = [...late].sort((a, b) => Number(b.state === 'stale') - Number(a.state === 'stale'));
  const shown = ordered
    .slice(0, MOST_PODS)
    .map(({ pod, state, problem }) => `${pod.name} (${describe(state)}${problem ? `: ${problem}` : ''})`);
  const rest = late.length - shown.length;
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function describe(state: PodState['state']): string {
  return state === 'asking' ? 'not asked yet' : state;
}

/** @returns the whole status that we own */
export function statusOf(outcome: Outcome, resource: Pick<StreamProxy, 'metadata'>, before: Status, now: Date): Status {
  const generation = resource.metadata.generation ?? 0;
  const count = (state: PodState['state']): number => outcome.pods.filter((pod) => pod.state === state).length;
  const revision = outcome.failure === undefined ? outcome.revision : before.revision;
  return {
    observedGeneration: generation,
    ...(revision !== undefined && { revision }),
    ...(outcome.gateway && { gateway: { url: outcome.gateway.url } }),
    pods: {
      injected: outcome.pods.length,
      current: count('current'),
      stale: count('stale'),
      unreachable: count('unreachable'),
    },
    conditions: conditionsOf(outcome, generation, before.conditions ?? [], now),
  };
}
