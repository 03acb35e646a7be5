/**
 * The resource's way, stage by stage: gather → compile → deliver → profile → annotate → confirm → status. Level-based: it
 * looks at what is, never at what happened, and may run at any time, any number of times.
 */
import { type Compiled, compile } from '#contract/compile/compile.ts';
import { deliveredSecretName, gatewayName } from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import { ApiError } from './cluster/api-error.ts';
import type { Cluster } from './cluster/cluster.ts';
import { KINDS } from './cluster/kinds.ts';
import type { Confirmations } from './confirm/confirmations.ts';
import type { PodState } from './confirm/rollout.ts';
import { annotatePods } from './deliver/annotate.ts';
import type { AppliedObjects } from './deliver/apply-once.ts';
import { deliverProfile } from './deliver/profile.ts';
import { deliverSecret, SecretChangedError } from './deliver/secret.ts';
import { TerminalError } from './errors.ts';
import { deliverGateway, forgetGateway, removeGateway } from './gateway/deliver.ts';
import { gatewayUrl } from './gateway/objects.ts';
import { type Caches, type Gathered, gather } from './gather.ts';
import type { SidecarSettings } from './inject/sidecar.ts';
import type { Limiter } from './limiter.ts';
import type { Remainders } from './remainder/remainders.ts';
import type { Outcome } from './status/conditions.ts';
import { type EventRecorder, happenings } from './status/events.ts';
import type { StatusWriter } from './status/write.ts';
import { type Key, nameOfKey } from './watch/key.ts';

export interface Operator {
  readonly cluster: Cluster;
  readonly caches: Caches;
  readonly sidecar: SidecarSettings;
  readonly applied: AppliedObjects;
  readonly confirmations: Confirmations;
  readonly statuses: StatusWriter;
  readonly events: EventRecorder;
  readonly remainders: Remainders;
  /** Bounds the patches of pods, of all resources together. */
  readonly limit: Limiter;
}

export type Reconciled =
  | { readonly kind: 'gone' }
  /** Some Secret has not been heard of yet. */
  | { readonly kind: 'waiting' }
  /** The user must change something; said in the status. */
  | { readonly kind: 'refused' }
  /** `behindMs`: how long the slowest sidecar has not confirmed; 0 when all have. */
  | { readonly kind: 'delivered'; readonly behindMs: number };

type Ready = Extract<Gathered, { kind: 'ready' }>;

/** @throws whatever may go away by trying again */
export async function reconcile(key: Key, operator: Operator, signal: AbortSignal): Promise<Reconciled> {
  const gathered = gather(key, operator.caches);
  if (gathered.kind !== 'gone') operator.remainders.know(gathered.resource);
  switch (gathered.kind) {
    case 'gone':
      forget(key, operator);
      return { kind: 'gone' };
    case 'waiting':
      if (gathered.unreadable !== undefined)
        await reportUnreadable(key, gathered.resource, gathered.unreadable, operator, signal);
      return { kind: 'waiting' };
    case 'ready':
      return bringUpToDate(key, gathered, operator, signal);
  }
}

async function bringUpToDate(key: Key, ready: Ready, operator: Operator, signal: AbortSignal): Promise<Reconciled> {
  const { resource, pods } = ready;
  const compiled = compile(resource, ready.secrets, ready.tokenKeys);
  const { revision } = compiled.config;
  const failure = await deliver(ready, compiled, operator, signal).then(
    () => undefined,
    (error: unknown) => asFailure(error),
  );
  if (failure) {
    const outcome = {
      findings: compiled.findings,
      revision,
      failure: failure.message,
      pods: operator.confirmations.states(key),
    };
    await report(resource, outcome, operator, signal);
    if (!(failure instanceof TerminalError)) throw failure;
    return { kind: 'refused' };
  }
  // Before the pods are told, as telling may take a while and the first answers come 150 ms later.
  const states = operator.confirmations.track(key, revision, pods);
  const told = annotatePods(operator, pods, { revision, behindMs: behindOf(states) }, signal);
  const [telling] = await Promise.allSettled([told]);
  await report(
    resource,
    { findings: compiled.findings, revision, failure: undefined, pods: operator.confirmations.states(key) },
    operator,
    signal,
  );
  if (telling.status === 'rejected') throw telling.reason;
  const behind = states.filter(({ state }) => state !== 'current').map(({ behindMs }) => Math.max(1, behindMs));
  return { kind: 'delivered', behindMs: Math.max(0, ...behind) };
}

/** The Secret first: a pod must find what it mounts. */
async function deliver(ready: Ready, compiled: Compiled, operator: Operator, signal: AbortSignal): Promise<void> {
  const { resource, secrets } = ready;
  await deliverSecret(operator, { resource, compiled, secrets }, signal);
  const { gateway } = resource.spec;
  if (gateway) await deliverGateway(operator, resource, gateway, signal);
  else {
    await deliverProfile(operator.applied, resource, operator.sidecar, signal);
    // It says so while it is one.
    if (resource.status?.gateway) await removeGateway(operator, resource, signal);
  }
}

/** What belongs into the status: an answer that refuses. @throws what only concerns us: lost connections, races, overload */
function asFailure(error: unknown): Error {
  if (error instanceof SecretChangedError) throw error;
  if (error instanceof TerminalError) return error;
  if (error instanceof ApiError && error.status < 500 && ![404, 409, 429].includes(error.status)) return error;
  throw error;
}

async function report(resource: StreamProxy, outcome: Outcome, operator: Operator, signal: AbortSignal): Promise<void> {
  const { gateway } = resource.spec;
  const deployment = gatewayName(resource.metadata.name);
  const whole = {
    ...outcome,
    ...(gateway && { gateway: { deployment, replicas: gateway.replicas ?? 2, url: gatewayUrl(resource) } }),
  };
  const { before, after } = await operator.statuses.write(resource, whole, signal);
  // Not awaited: nothing depends on an event, and it never rejects.
  void operator.events.record(resource, happenings(before, after), signal);
}

async function reportUnreadable(
  key: Key,
  resource: StreamProxy,
  failure: string,
  operator: Operator,
  signal: AbortSignal,
): Promise<void> {
  const pods = operator.confirmations.states(key);
  await report(resource, { findings: undefined, revision: undefined, failure, pods }, operator, signal);
}

function behindOf(states: readonly PodState[]): (pod: { readonly uid: string }) => number {
  const byUid = new Map(states.map(({ pod, behindMs }) => [pod.uid, behindMs]));
  return ({ uid }) => byUid.get(uid) ?? 0;
}

/** What we remember of a resource goes with it; its objects go by their owner references. */
function forget(key: Key, { caches, confirmations, applied, statuses, events, remainders }: Operator): void {
  const { namespace, name } = nameOfKey(key);
  caches.secrets.forget(key);
  caches.tokenKeys.forget(key);
  confirmations.forget(key);
  statuses.forget(key);
  events.forget(key);
  remainders.forget(key);
  applied.forget(KINDS.secret, { namespace, name: deliveredSecretName(name) });
  applied.forget(KINDS.sidecarProfile, { namespace, name });
  forgetGateway(applied, { namespace, name });
}
