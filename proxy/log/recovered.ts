/** The partial record of an exchange that an earlier process left open: all that its journal lines tell. */
import type { JournalEntry } from './journal-entries.ts';
import { type ExchangeRecord, present, RECORD_VERSION, type RecordIdentity } from './record.ts';

export function recoveredRecord(entry: JournalEntry, { hop, workload }: RecordIdentity): ExchangeRecord {
  const endedMs = entry.afterMs;
  return {
    version: RECORD_VERSION,
    id: entry.id,
    exchange: entry.exchange ?? entry.id,
    hop,
    recovered: true,
    workload,
    times: {
      received: new Date(entry.atEpochMs).toISOString(),
      ...present('ended', endedMs === undefined ? undefined : new Date(entry.atEpochMs + endedMs).toISOString()),
    },
    offsetsMs: present('ended', endedMs),
    dialect: entry.dialect,
    ...present('route', entry.route),
    ...present('agent', entry.agent),
    ...present('stream', entry.stream),
    model: present('asked', entry.model),
    attempts: [],
    status: entry.status ?? 0,
    end: entry.end ?? 'killed',
    request: { method: entry.method, target: entry.target, headers: [], headersRemoved: [] },
    redactions: { headers: 0, jsonPaths: 0, patterns: 0 },
  };
}
