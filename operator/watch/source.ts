/** A selection of the cluster's objects as a reflector's source: of each object only its projection is kept. */
import type { Cluster, Selection } from '../cluster/cluster.ts';
import { KINDS, type Kind, type KubeObject, type ObjectName } from '../cluster/kinds.ts';
import type { WatchEvent } from '../cluster/watch-events.ts';
import type { Limiter } from '../limiter.ts';
import type { Source } from './reflector.ts';

/** @param project what is kept of an object; called as each page arrives, so that whole objects can be freed */
export function selectionSource<T>(
  cluster: Cluster,
  kind: Kind,
  selection: Selection,
  project: (object: KubeObject) => T,
): Source<T> {
  return {
    project,
    async list(signal) {
      const items: T[] = [];
      let next: string | undefined;
      for (;;) {
        const page = await cluster.list(kind, selection, next, signal);
        items.push(...page.items.map(project));
        next = page.next;
        if (next === undefined) return { items, version: page.version };
      }
    },
    watch: (from, signal) => cluster.watch(kind, selection, from, signal),
  };
}

/**
 * One Secret, by get and watch alone: we have no right to list any. A get tells no version of the collection to watch
 * from, so the watch starts from now, and a second get, made once it stands, finds a deletion in between.
 * @param limit bounds how many Secrets are begun at the same time: a thousand resources must not keep all else waiting
 */
export function secretSource<T>(
  cluster: Cluster,
  name: ObjectName,
  project: (object: KubeObject) => T,
  limit: Limiter,
): Source<T> {
  const selection = { namespace: name.namespace, fieldSelector: `metadata.name=${name.name}` };
  return {
    project,
    async list(signal) {
      const secret = await limit(() => cluster.get(KINDS.secret, name, signal));
      return { items: secret ? [project(secret)] : [], version: '' };
    },
    watch: (from, signal) =>
      limit(async () => {
        const events = await cluster.watch(KINDS.secret, selection, from, signal);
        if (from.version !== '' || (await cluster.getMetadata(KINDS.secret, name, signal))) return events;
        return afterDeletion(name, events);
      }),
  };
}

async function* afterDeletion(
  name: ObjectName,
  events: AsyncIterable<WatchEvent>,
): AsyncGenerator<WatchEvent, void, undefined> {
  yield { type: 'DELETED', object: { metadata: { ...name } } };
  yield* events;
}
