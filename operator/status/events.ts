/** What people see in `kubectl describe`: an event for each condition that changed, a bounded number of them. */
import { randomBytes } from 'node:crypto';
import { CONDITION_REASONS } from '#contract/conditions.ts';
import { API_GROUP, API_VERSION } from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import { hasStatus } from '../cluster/api-error.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, type KubeObject } from '../cluster/kinds.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { microTime } from '../micro-time.ts';
import { type Key, keyOf } from '../watch/key.ts';
import type { Condition } from './conditions.ts';

export interface Happening {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface Once {
  readonly name: string;
  readonly happening: Happening;
  /** The pod that it happened to. */
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
}

/** Of each resource this many events in a row, and then one each so many milliseconds. */
const BURST = 10;
const REFILL_MS = 20_000;
/** Longest note that the API takes. */
const MOST_NOTE_CHARS = 1000;

/** Pure: conditions before and after → what happened. A rollout under way is none: it would be one event for each change and pod. */
export function happenings(before: readonly Condition[], after: readonly Condition[]): Happening[] {
  return after.flatMap((condition): Happening[] => {
    const last = before.find(({ type }) => type === condition.type);
    const isSame = last?.status === condition.status && last.reason === condition.reason;
    if (isSame && (condition.status === 'True' || last.message === condition.message)) return [];
    if (condition.reason === CONDITION_REASONS.rollingOut) return [];
    const note = `${condition.type}: ${condition.message}`;
    return [{ type: condition.status === 'True' ? 'Normal' : 'Warning', reason: condition.reason, note }];
  });
}

export class EventRecorder {
  readonly #cluster: Cluster;
  readonly #instance: string;
  readonly #logger: Logger;
  readonly #budgets = new Map<Key, { left: number; atMs: number }>();

  constructor(cluster: Cluster, instance: string, logger: Logger) {
    this.#cluster = cluster;
    this.#instance = instance;
    this.#logger = logger;
  }

  /** Never rejects: an event that is lost is no reason to fail. */
  async record(about: StreamProxy, happened: readonly Happening[], signal: AbortSignal): Promise<void> {
    const { namespace = '', name } = about.metadata;
    for (const each of happened) {
      if (!this.#allow(keyOf({ namespace, name }))) return;
      await this.#cluster.create(KINDS.event, this.#event(about, each), signal).catch((error: unknown) => {
        this.#logger.warn('Cannot write an event', { error: describeError(error) });
      });
    }
  }

  /**
   * Writes an event that can be there once. No budget bounds it: there are no more than pods that end.
   * @param once `name`: the event's, the same for the same thing
   * @returns false when it was there
   * @throws what the API server refused, but for that
   */
  async recordOnce(about: StreamProxy, { name, happening, pod }: Once, signal: AbortSignal): Promise<boolean> {
    const event = this.#event(about, happening);
    const related = { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid };
    const object = { ...event, metadata: { ...event.metadata, name }, related };
    try {
      await this.#cluster.create(KINDS.event, object, signal);
      return true;
    } catch (error) {
      if (hasStatus(error, 409)) return false;
      throw error;
    }
  }

  forget(key: Key): void {
    this.#budgets.delete(key);
  }

  #allow(key: Key): boolean {
    const nowMs = performance.now();
    const budget = this.#budgets.get(key) ?? { left: BURST, atMs: nowMs };
    const refilled = Math.min(BURST, budget.left + (nowMs - budget.atMs) / REFILL_MS);
    const isAllowed = refilled >= 1;
    this.#budgets.set(key, { left: isAllowed ? refilled - 1 : refilled, atMs: nowMs });
    return isAllowed;
  }

  #event({ metadata }: StreamProxy, { type, reason, note }: Happening): KubeObject {
    const { name, namespace = '', uid = '', resourceVersion = '' } = metadata;
    return {
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace },
      eventTime: microTime(new Date()),
      reportingController: `${API_GROUP}/operator`,
      reportingInstance: this.#instance.slice(0, 128),
      action: 'Reconcile',
      type,
      reason,
      note: note.slice(0, MOST_NOTE_CHARS),
      regarding: {
        apiVersion: `${API_GROUP}/${API_VERSION}`,
        kind: 'StreamProxy',
        name,
        namespace,
        uid,
        resourceVersion,
      },
    };
  }
}
