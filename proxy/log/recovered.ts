/** The record of an exchange that an earlier process left open: what it had recorded of it by then, or else what its journal lines tell. */
import type { JournalEntry } from './journal-entries.ts';
import { type ExchangeRecord, type PartialRecord, present, RECORD_VERSION, type RecordIdentity } from './record.ts';

/** @param state newest record that was made while its stream was running */
export function recoveredRecord(entry: JournalEntry, identity: RecordIdentity, state?: PartialRecord): ExchangeRecord {
  const record = state === undefined ? fromJournal(entry, identity) : fromState(state, entry);
  // One more than the last that left: it replaces that one, and is the same as the one that the lost process would have written.
  return entry.partial === undefined ? record : { ...record, sequence: entry.partial + 1 };
}

/** The last bytes may be missing; nobody knows. */
function fromState(state: PartialRecord, entry: JournalEntry): ExchangeRecord {
  const { partial: _, sequence: __, ...known } = state;
  const { response } = known;
  const ended = ending(entry);
  return {
    ...known,
    recovered: true,
    times: { ...known.times, ...ended.times },
    offsetsMs: { ...known.offsetsMs, ...ended.offsetsMs },
    status: entry.status ?? known.status,
    end: entry.end ?? 'killed',
    ...(response && {
      response: { ...response, ...(response.body && { body: { ...response.body, truncated: true } }) },
    }),
  };
}

function ending({ atEpochMs, afterMs }: JournalEntry): Pick<ExchangeRecord, 'times' | 'offsetsMs'> {
  if (afterMs === undefined) return { times: {}, offsetsMs: {} };
  return { times: { ended: new Date(atEpochMs + afterMs).toISOString() }, offsetsMs: { ended: afterMs } };
}

function fromJournal(entry: JournalEntry, { hop, workload }: RecordIdentity): ExchangeRecord {
  const { times, offsetsMs } = ending(entry);
  return {
    version: RECORD_VERSION,
    id: entry.id,
    exchange: entry.exchange ?? entry.id,
    hop,
    recovered: true,
    workload,
    times: { received: new Date(entry.atEpochMs).toISOString(), ...times },
    offsetsMs,
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
