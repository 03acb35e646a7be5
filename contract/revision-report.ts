/** What a sidecar answers on `GET /revision` of its metrics port, as JSON: how the operator learns that a change has arrived. */
import type { Revision } from './compiled.ts';
import type { Problem } from './finding.ts';

export interface RevisionReport {
  /** The revision that new exchanges are executed with; null before the first valid config. */
  readonly revision: Revision | null;
  /** Why the config that lies there now is refused; empty when it is the one above. Never a credential. */
  readonly problems: readonly Problem[];
  /** Log targets that do not take records at this moment, each with what went wrong last. Never a credential. */
  readonly failingTargets: readonly FailingTarget[];
}

export interface FailingTarget {
  readonly name: string;
  readonly error: string;
}
