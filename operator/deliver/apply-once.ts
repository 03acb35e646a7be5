/**
 * Applies an object only on difference, without keeping its content: what was applied is remembered as a digest, and the
 * version that the API server gave it proves that nobody has touched it since.
 */
import { MANAGED_BY, MANAGED_BY_LABEL } from '#contract/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Kind, KubeObject, ObjectName } from '../cluster/kinds.ts';
import { TerminalError } from '../errors.ts';

interface Applied {
  readonly digest: string;
  readonly version: string;
}

export interface Wanted {
  readonly kind: Kind;
  readonly name: ObjectName;
  /** Changes whenever the object does; may be less than the object, where that holds Secrets' values. */
  readonly digest: string;
  /** Whether the object's status changes by itself, so that only its generation tells of changes of what we wrote. */
  readonly byGeneration?: boolean;
  /** Makes the object; called only when it must be written. */
  readonly build: (signal: AbortSignal) => Promise<KubeObject>;
}

export class AppliedObjects {
  readonly #applied = new Map<string, Applied>();
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * @returns whether it had to be written
   * @throws TerminalError when an object of that name is somebody else's
   */
  async ensure({ kind, name, digest, byGeneration = false, build }: Wanted, signal: AbortSignal): Promise<boolean> {
    const key = idOf(kind, name);
    const known = this.#applied.get(key);
    const there = await this.#cluster.getMetadata(kind, name, signal);
    if (known?.digest === digest && there && versionOf(there, byGeneration) === known.version) return false;
    if (there && there.metadata.labels?.[MANAGED_BY_LABEL] !== MANAGED_BY) throw takenName(kind, name);
    const written = await this.#cluster.apply(kind, await build(signal), signal);
    this.#applied.set(key, { digest, version: versionOf(written, byGeneration) });
    return written.metadata.resourceVersion !== there?.metadata.resourceVersion;
  }

  forget(kind: Kind, name: ObjectName): void {
    this.#applied.delete(idOf(kind, name));
  }
}

/** With the uid, as an object that was made anew may have the same generation. */
function versionOf({ metadata }: KubeObject, byGeneration: boolean): string {
  const { generation, resourceVersion = '', uid } = metadata;
  return byGeneration && generation !== undefined ? `${uid} ${generation}` : resourceVersion;
}

function idOf(kind: Kind, { namespace, name }: ObjectName): string {
  return `${kind.kind}/${namespace}/${name}`;
}

function takenName(kind: Kind, { namespace, name }: ObjectName): TerminalError {
  return new TerminalError(
    `${kind.kind} "${name}" of namespace "${namespace}" is not Sluice's (its label ${MANAGED_BY_LABEL} is not ${MANAGED_BY}); ` +
      'rename or delete it, or give the StreamProxy another name.',
  );
}
