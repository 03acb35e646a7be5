/** How one exchange ended: the one value that framing, metrics and records read. */
import type { StreamEndKind } from '#contract/stream-end.ts';

export interface StreamEnd {
  readonly kind: StreamEndKind;
  /** For `idle`: who stalled. */
  readonly side?: 'client' | 'upstream';
  /** For people: what was seen, such as `ECONNRESET` or `overloaded_error`; never content, never a secret. */
  readonly detail?: string;
}
