/** Builds the live objects and wires them: the only composition root. Watches run from the start, writing begins with the lease. */
import { randomBytes } from 'node:crypto';
import { serveAdmin } from './admin.ts';
import type { Access } from './cluster/access.ts';
import { type Cluster, connect } from './cluster/cluster.ts';
import { leaderOnly } from './cluster/leader-only.ts';
import { Confirmations } from './confirm/confirmations.ts';
import { AppliedObjects } from './deliver/apply-once.ts';
import { SelfTest } from './inject/self-test.ts';
import { leadWhileHeld } from './lead.ts';
import { Lease } from './lease.ts';
import { createLimiter } from './limiter.ts';
import type { Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type Operator, reconcile } from './reconcile.ts';
import { Remainders } from './remainder/remainders.ts';
import type { Settings } from './settings.ts';
import { EventRecorder } from './status/events.ts';
import { StatusWriter } from './status/write.ts';
import { WorkQueue } from './watch/queue.ts';
import { startWatching, type Watching } from './watch/watching.ts';
import { work } from './watch/workers.ts';

export interface AppOptions {
  readonly settings: Settings;
  readonly access: Access;
  /** For the lease alone: a renewal must not wait behind anything, or a burst of resources costs the lead. */
  readonly leaseAccess: Access;
  readonly logger: Logger;
}

export const LEASE_NAME = 'sluice-operator';
/** Pods that are told of a change at the same time. */
const PATCHED_AT_ONCE = 32;

/**
 * Runs the operator until `signal` aborts.
 * @returns `stopped` when it was told to stop, `lost` when another may lead from now on
 */
export async function runOperator(
  { settings, access, leaseAccess, logger }: AppOptions,
  signal: AbortSignal,
): Promise<'stopped' | 'lost'> {
  const { podNamespace: namespace, sidecar, workers } = settings;
  const identity = `${settings.podName}_${randomBytes(4).toString('hex')}`;
  const metrics = createMetrics();
  const cluster = connect(access);
  const lease = new Lease({ name: { namespace, name: LEASE_NAME }, identity, cluster: connect(leaseAccess), logger });
  const isLeading = (): boolean => !settings.leaderElection || lease.isHeld();
  const queue = new WorkQueue({ mostBackoffMs: 300_000, onDepth: metrics.queueDepth });
  const onKey = (key: string): void => queue.add(key);
  const namespaces = settings.watchNamespaces;
  const writing = leaderOnly(cluster, isLeading);
  const events = new EventRecorder(writing, identity, logger);
  const remainders = openRemainders(events, metrics, logger);
  const watching = startWatching({
    cluster,
    namespaces,
    onKey,
    onPodEnd: (pod) => remainders.notice(pod),
    onFailure: metrics.watchFailed,
    logger,
  });
  const confirmations = new Confirmations({ onChange: onKey });
  const operator = wire(writing, { caches: watching.caches, confirmations, sidecar, events, remainders });
  const ending = new AbortController();
  const selfTest = new SelfTest({ cluster, namespace, sidecar });
  const testing = selfTest.run(ending.signal);
  metrics.read(readings(watching, confirmations, isLeading));
  const missing = (): string[] => [...watching.missing(), selfTest.problem()].filter((reason) => reason !== undefined);
  const admin = await serveAdmin({ port: settings.metricsPort, metrics, missing });
  logger.info('Started', { identity, metricsPort: admin.port });

  const lead = (until: AbortSignal): Promise<void> => {
    logger.info('Leading', { identity });
    return lookAfter({ queue, operator, workers, logger, metrics }, until);
  };
  const end = settings.leaderElection
    ? await leadWhileHeld(lease, lead, signal)
    : await lead(signal).then(() => 'stopped' as const);

  ending.abort(new Error('The operator stops'));
  queue.close();
  confirmations.stop();
  await Promise.all([watching.stop(), testing]);
  admin.close();
  return end;
}

interface Leading {
  readonly queue: WorkQueue;
  readonly operator: Operator;
  readonly workers: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** All that one operator alone does. */
async function lookAfter({ queue, operator, workers, logger, metrics }: Leading, until: AbortSignal): Promise<void> {
  const one = (key: string, signal: AbortSignal): ReturnType<typeof reconcile> => reconcile(key, operator, signal);
  const reconciling = work({ queue, reconcile: one, workers, logger, onReconciled: metrics.reconciled }, until);
  await Promise.all([reconciling, operator.remainders.work(until)]);
}

function openRemainders(events: EventRecorder, metrics: Metrics, logger: Logger): Remainders {
  return new Remainders({ events, count: metrics.undelivered, forgetCount: metrics.forgetUndelivered, logger });
}

function wire(
  cluster: Cluster,
  parts: Pick<Operator, 'caches' | 'confirmations' | 'sidecar' | 'events' | 'remainders'>,
): Operator {
  return {
    cluster,
    ...parts,
    applied: new AppliedObjects(cluster),
    statuses: new StatusWriter(cluster),
    limit: createLimiter(PATCHED_AT_ONCE),
  };
}

function readings(
  watching: Watching,
  confirmations: Confirmations,
  isLeading: () => boolean,
): Parameters<Metrics['read']>[0] {
  return {
    staleness: (kind) => watching.stalenessMs(kind) / 1000,
    pods: (state) => confirmations.all().filter((pod) => pod.state === state).length,
    resources: () => watching.caches.proxies.keys().length,
    isLeading,
  };
}
