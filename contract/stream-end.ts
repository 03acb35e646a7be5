/** How an exchange can end (the values of `end` in metrics, records and audit). Every exchange ends exactly once with one of them. */

export const STREAM_ENDS = [
  /** The whole answer reached the client, its terminal event included where the dialect has one. */
  'complete',
  /** The upstream closed, reset or broke its framing before the answer was whole. */
  'upstream_cut',
  /** The upstream reported an error inside a 200 stream. */
  'upstream_error',
  /** The client left first. */
  'client_gone',
  /** Nothing moved for the idle timeout; the record's `side` says who stalled. */
  'idle',
  /** The total timeout passed. */
  'timed_out',
  /** We were told to stop and the grace ended first. */
  'shutdown',
  /** Found by the next start: the process ended without a word. */
  'killed',
  /** No upstream answered: our 502 or 504. */
  'no_answer',
  /** We refused the request: our 4xx, 429 or 503. */
  'rejected',
] as const;

export type StreamEndKind = (typeof STREAM_ENDS)[number];
