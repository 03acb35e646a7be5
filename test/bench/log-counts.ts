/** What the log of a subject did inside the measured window, by its own metrics. */

/** The targets of measured logs: PostgreSQL, and a receiver over HTTP. */
export const STORE = 'store';
export const RECEIVER = 'receiver';

/** One target at one moment. */
interface TargetState {
  delivered: number;
  dropped: number;
  waitingRecords: number;
  waitingBytes: number;
}

export interface TargetCounts {
  readonly target: string;
  readonly delivered: number;
  readonly dropped: number;
  readonly waitingBefore: number;
  readonly waitingAfter: number;
  /** Of the records that wait in the spool. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface LogCounts {
  /** Between the two readings. */
  readonly seconds: number;
  readonly targets: readonly TargetCounts[];
}

/** One reading of /metrics. */
export interface Reading {
  readonly atMs: number;
  readonly text: string;
}

/** What happened between two readings, target by target. */
export function countsBetween(before: Reading, after: Reading): LogCounts {
  const first = statesOf(before.text);
  const last = statesOf(after.text);
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    targets: [...last].map(([target, state]) => {
      const start = first.get(target) ?? { delivered: 0, dropped: 0, waitingRecords: 0, waitingBytes: 0 };
      return {
        target,
        delivered: state.delivered - start.delivered,
        dropped: state.dropped - start.dropped,
        waitingBefore: start.waitingRecords,
        waitingAfter: state.waitingRecords,
        bytesBefore: start.waitingBytes,
        bytesAfter: state.waitingBytes,
      };
    }),
  };
}

const LINE = /^sluice_log_(records_total|spool_records|spool_bytes)\{([^}]*)\} ([0-9.e+]+)$/gm;

function statesOf(text: string): Map<string, TargetState> {
  const states = new Map<string, TargetState>();
  for (const [, name, labels = '', value] of text.matchAll(LINE)) {
    const target = labelOf(labels, 'target');
    const state = states.get(target) ?? { delivered: 0, dropped: 0, waitingRecords: 0, waitingBytes: 0 };
    states.set(target, state);
    if (name === 'spool_records') state.waitingRecords = Number(value);
    else if (name === 'spool_bytes') state.waitingBytes = Number(value);
    else if (labelOf(labels, 'result') === 'delivered') state.delivered = Number(value);
    else state.dropped += Number(value);
  }
  return states;
}

function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
}
