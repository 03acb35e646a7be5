/** Labels and buckets of every histogram: one place, as both are part of the API that dashboards are built on. */

/** What each histogram is divided by. The workload comes from scrape relabelling. */
export const HISTOGRAM_LABELS = ['route', 'upstream'] as const;

/** Until the first byte or token: from a warm local model to a long prompt in a queue. Seconds. */
export const WAIT_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120];
/** Between two content events: 1 ms is a burst, 20-50 ms usual, a second felt as a stall. Seconds. */
export const GAP_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
/** A whole stream: from a short answer to an hour of an agent's turn. Seconds. */
export const DURATION_BUCKETS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600];
/** What we add: a quarter of a millisecond to the longest hold before first content. Seconds. */
export const OVERHEAD_BUCKETS = [
  0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
/** One call of a tool: from a lookup in memory to the longest limit that people set. Seconds. */
export const TOOL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** Turns of the model in one exchange. */
export const ROUND_BUCKETS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100];
