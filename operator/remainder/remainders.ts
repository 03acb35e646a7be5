/**
 * Accounts for what pods left undelivered when they ended for good: one event and one count a pod. The event's name is made of
 * the pod's uid, so that it is the receipt: an operator that finds it written does not count that pod again.
 */
import type { StreamProxy } from '#contract/resources.ts';
import { ApiError } from '../cluster/api-error.ts';
import { NotLeadingError } from '../cluster/leader-only.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { UndeliveredLabels } from '../metrics.ts';
import type { EventRecorder } from '../status/events.ts';
import { type Key, keyOf } from '../watch/key.ts';
import { type PodFacts, proxyKeyOf } from '../watch/pod-facts.ts';
import { WorkQueue } from '../watch/queue.ts';
import { type Account, accountOf, targetNames } from './account.ts';
import type { LeftBehind } from './left-behind.ts';

export interface RemaindersOptions {
  readonly events: Pick<EventRecorder, 'recordOnce'>;
  /** Adds records to the metric; 0 makes the series. */
  readonly count: (labels: UndeliveredLabels, records: number) => void;
  readonly forgetCount: (labels: UndeliveredLabels) => void;
  readonly logger: Logger;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
  /** @default 250 */
  readonly firstBackoffMs?: number;
}

/** The API server forgets events after an hour unless it is told otherwise: of an older end nobody can say whether it was counted. */
const TELL_WITHIN_MS = 55 * 60_000;
/** One that does not lead remembers for so long: whoever leads has counted by then, or we lead. */
const FOLLOWER_MS = 5 * 60_000;
/** Pods often end right after their resource was deleted. */
const GONE_MS = 10 * 60_000;
/** Of pods that wait to be accounted for, and of those that were. */
const MOST_PODS = 10_000;
/** With the backoff some four minutes. */
const MOST_TRIES = 12;

interface Ended {
  readonly pod: PodFacts;
  readonly left: LeftBehind;
  readonly noticedAtMs: number;
  tries: number;
  /** A try got no answer: the event that is there may be our own. */
  isUncertain: boolean;
}

export class Remainders {
  readonly #options: Required<RemaindersOptions>;
  readonly #queue: WorkQueue;
  readonly #resources = new Map<Key, StreamProxy>();
  /** When resources went that are still remembered, the oldest first. */
  readonly #gone = new Map<Key, number>();
  /** By the pod's uid. */
  readonly #ended = new Map<string, Ended>();
  readonly #told = new Set<string>();
  /** Series that are above 0 and stay for as long as the process does. */
  readonly #counted = new Set<string>();
  #isWorking = false;

  constructor(options: RemaindersOptions) {
    this.#options = { now: Date.now, firstBackoffMs: 250, ...options };
    this.#queue = new WorkQueue({ firstBackoffMs: this.#options.firstBackoffMs, mostBackoffMs: 30_000 });
  }

  /** A resource that is looked after: its series are there from the start, or the first loss would be no increase. */
  know(resource: StreamProxy): void {
    const key = keyOf(nameOf(resource));
    const before = this.#resources.get(key);
    this.#gone.delete(key);
    this.#resources.set(key, resource);
    const names = targetNames(resource);
    for (const target of names) this.#options.count(labelsOf(resource, target), 0);
    if (before === undefined) return;
    this.#dropSeries(before, names);
  }

  /** A resource that is gone; its pods may still be ending. */
  forget(key: Key): void {
    const nowMs = this.#options.now();
    if (this.#resources.has(key) && !this.#gone.has(key)) this.#gone.set(key, nowMs);
    for (const [each, atMs] of this.#gone) {
      if (nowMs - atMs < GONE_MS) return;
      const resource = this.#resources.get(each);
      if (resource) this.#dropSeries(resource);
      this.#resources.delete(each);
      this.#gone.delete(each);
    }
  }

  /** A pod that ended for good. May be told of the same one again and again. */
  notice(pod: PodFacts): void {
    const { uid, left } = pod;
    const nowMs = this.#options.now();
    if (left === undefined || this.#told.has(uid) || this.#ended.has(uid)) return;
    if (nowMs - Date.parse(left.endedAt) > TELL_WITHIN_MS) return;
    for (const [each, { noticedAtMs }] of this.#ended) {
      const isOld = !this.#isWorking && nowMs - noticedAtMs > FOLLOWER_MS;
      if (!isOld && this.#ended.size < MOST_PODS) break;
      this.#ended.delete(each);
    }
    this.#ended.set(uid, { pod, left, noticedAtMs: nowMs, tries: 0, isUncertain: false });
    if (this.#isWorking) this.#queue.add(uid);
  }

  /** Accounts for all that were noticed and all that will be, while we lead. Resolves when `signal` aborted. */
  async work(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
    if (signal.aborted) this.#queue.close();
    this.#isWorking = true;
    for (const uid of this.#ended.keys()) this.#queue.add(uid);
    for (let uid = await this.#queue.take(); uid !== undefined; uid = await this.#queue.take()) {
      const ended = this.#ended.get(uid);
      if (ended !== undefined) await this.#tell(uid, ended, signal);
      this.#queue.done(uid);
    }
  }

  async #tell(uid: string, ended: Ended, signal: AbortSignal): Promise<void> {
    const { pod, left } = ended;
    const { logger } = this.#options;
    const isLast = ++ended.tries >= MOST_TRIES;
    const where = { namespace: pod.namespace, pod: pod.name, streamProxy: pod.proxy };
    const resource = this.#resources.get(proxyKeyOf(pod));
    if (resource === undefined) {
      // At the start of an operator pods may be heard of before the resource is.
      if (!isLast) this.#queue.addRateLimited(uid);
      else
        this.#settle(uid, 'Pod left records behind, and its StreamProxy is gone: they are counted nowhere else', where);
      return;
    }
    const account = accountOf(pod.name, left, targetNames(resource));
    try {
      const once = { name: `left-behind.${uid}`, happening: account.happening, pod };
      const isNew = (await this.#options.events.recordOnce(resource, once, signal)) || ended.isUncertain;
      if (isNew) this.#count(resource, account);
      this.#settle(uid, isNew ? account.happening.note : undefined, where);
    } catch (error) {
      if (signal.aborted) return;
      const isFinal = error instanceof ApiError && error.status < 500 && error.status !== 429;
      ended.isUncertain ||= !(error instanceof ApiError || error instanceof NotLeadingError);
      if (!isFinal && !isLast) {
        this.#queue.addRateLimited(uid);
        return;
      }
      // The count is what alerts rest on; it is made without its event rather than not at all.
      logger.warn('Cannot write an event; its records are counted all the same', {
        ...where,
        error: describeError(error),
      });
      this.#count(resource, account);
      this.#settle(uid, account.happening.note, where);
    }
  }

  #count(resource: StreamProxy, { lost }: Account): void {
    for (const [target, records] of lost) {
      const labels = labelsOf(resource, target);
      this.#counted.add(seriesOf(labels));
      this.#options.count(labels, records);
    }
  }

  #settle(uid: string, note: string | undefined, where: Readonly<Record<string, string>>): void {
    this.#ended.delete(uid);
    this.#queue.forget(uid);
    this.#told.add(uid);
    const [oldest] = this.#told;
    if (this.#told.size > MOST_PODS && oldest !== undefined) this.#told.delete(oldest);
    if (note !== undefined) this.#options.logger.warn(note, where);
  }

  #dropSeries(resource: StreamProxy, kept: readonly string[] = []): void {
    for (const target of targetNames(resource)) {
      const labels = labelsOf(resource, target);
      if (!kept.includes(target) && !this.#counted.has(seriesOf(labels))) this.#options.forgetCount(labels);
    }
  }
}

function nameOf({ metadata }: StreamProxy): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}

function labelsOf(resource: StreamProxy, target: string): UndeliveredLabels {
  const { namespace, name } = nameOf(resource);
  return { streamproxy_namespace: namespace, streamproxy: name, target };
}

function seriesOf({ streamproxy_namespace, streamproxy, target }: UndeliveredLabels): string {
  return `${streamproxy_namespace}/${streamproxy}/${target}`;
}
