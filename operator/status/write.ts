/** Writes a StreamProxy's status, only on difference. By server-side apply, so that other writers' conditions stay theirs. */
import { isDeepStrictEqual } from 'node:util';
import { CONDITION_TYPES } from '#contract/conditions.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS } from '../cluster/kinds.ts';
import { type Key, keyOf } from '../watch/key.ts';
import { type Condition, type Outcome, type Status, statusOf } from './conditions.ts';

export class StatusWriter {
  /** What we wrote last: the cache may still show what was before it. */
  readonly #written = new Map<Key, { readonly status: Status; readonly overVersion: string | undefined }>();
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** @returns the conditions before and after */
  async write(
    resource: StreamProxy,
    outcome: Outcome,
    signal: AbortSignal,
  ): Promise<{ readonly before: readonly Condition[]; readonly after: readonly Condition[] }> {
    const { name, namespace = '', resourceVersion } = resource.metadata;
    const key = keyOf({ namespace, name });
    const written = this.#written.get(key);
    const isLagging = written !== undefined && written.overVersion === resourceVersion;
    const before = (isLagging ? written.status : resource.status) ?? {};
    const after = statusOf(outcome, resource, before, new Date());
    const conditions = { before: before.conditions ?? [], after: after.conditions ?? [] };
    if (isDeepStrictEqual(normal(before), normal(after))) return conditions;
    const object = { metadata: { name, namespace }, status: after };
    await this.#cluster.apply(KINDS.streamProxy, object, signal, 'status');
    this.#written.set(key, { status: after, overVersion: resourceVersion });
    return conditions;
  }

  forget(key: Key): void {
    this.#written.delete(key);
  }
}

/** Only what we own, in one order: others may have added conditions. */
function normal({ observedGeneration, revision, pods, gateway, conditions = [] }: Status): unknown {
  const ours: readonly string[] = Object.values(CONDITION_TYPES);
  const own = conditions.filter(({ type }) => ours.includes(type));
  return {
    observedGeneration,
    revision,
    pods: { ...pods },
    gateway: gateway?.url,
    conditions: own.map((each) => ({ ...each })).sort((a, b) => a.type.localeCompare(b.type)),
  };
}
