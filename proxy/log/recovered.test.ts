import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry } from './journal-entries.ts';
import type { PartialRecord } from './record.ts';
import { recoveredRecord } from './recovered.ts';

const identity = { hop: 'sidecar', workload: { pod: 'now' } } as const;
const entry: JournalEntry = { id: 'a', atEpochMs: 1000, method: 'POST', target: '/', dialect: 'anthropic', partial: 3 };
const state: PartialRecord = {
  version: 1,
  id: 'a',
  exchange: 'e',
  hop: 'sidecar',
  sequence: 3,
  partial: true,
  workload: { pod: 'then' },
  times: { received: '1970-01-01T00:00:01.000Z', firstByte: '1970-01-01T00:00:02.000Z' },
  offsetsMs: { firstByte: 1000 },
  dialect: 'anthropic',
  model: {},
  attempts: [],
  status: 200,
  usage: { outputTokens: 5, partial: true },
  request: { method: 'POST', target: '/', headers: [], headersRemoved: [] },
  response: { headers: [], headersRemoved: [], body: { bytes: 5, sha256: '', truncated: false, text: 'so fa' } },
  redactions: { headers: 0, jsonPaths: 0, patterns: 0 },
};

describe('recoveredRecord()', () => {
  it('makes of the newest state a record that is over and replaces it, and says that more may have come', () => {
    const { partial: _, response, ...known } = state;
    assert.deepEqual(recoveredRecord(entry, identity, state), {
      ...known,
      recovered: true,
      sequence: 4,
      end: 'killed',
      response: { ...response, body: { ...response?.body, truncated: true } },
    });
  });

  it('tells the end that the journal knows', () => {
    const ended = { ...entry, end: 'complete', status: 206, afterMs: 2500 } as const;
    const record = recoveredRecord(ended, identity, state);
    assert.deepEqual([record.end, record.status, record.sequence], ['complete', 206, 4]);
    assert.deepEqual(record.offsetsMs, { firstByte: 1000, ended: 2500 });
    assert.equal(record.times.ended, '1970-01-01T00:00:03.500Z');
    assert.equal(record.times.firstByte, state.times.firstByte);
  });

  it('has a sequence above the last one also where no state was kept, and none where nothing was recorded', () => {
    const { sequence, end, workload } = recoveredRecord(entry, identity);
    assert.deepEqual([sequence, end, workload], [4, 'killed', { pod: 'now' }]);
    const { partial: _, ...silent } = entry;
    assert.ok(!('sequence' in recoveredRecord(silent, identity)));
    assert.ok(!('sequence' in recoveredRecord(silent, identity, state)), 'kept, and never left');
  });
});
