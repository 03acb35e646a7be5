import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Account } from './ledger.ts';
import type { TargetReport } from './messages.ts';
import { Tally } from './tally.ts';

const ZERO: Account = { seen: 0, delivered: 0, dropped: {} };

function open() {
  const told: Record<string, number> = {};
  const gauges = new Map<string, number>();
  const tally = new Tally({
    metrics: {
      logged: (target, result, records) => {
        if (records > 0) told[`${target} ${result}`] = (told[`${target} ${result}`] ?? 0) + records;
      },
      waiting: (target, records) => void gauges.set(target, records),
      forgetTarget: (target) => void gauges.delete(target),
      spoolEvent: (event, times) => {
        if (times > 0) told[event] = (told[event] ?? 0) + times;
      },
    },
    isLocal: (name) => name === 'local',
  });
  const hear = (name: string, report: Partial<TargetReport>, stripped = 0): void =>
    tally.hear({
      targets: [{ name, account: ZERO, base: ZERO, waiting: { records: 0, bytes: 0 }, ...report }],
      stripped,
    });
  return { tally, told, gauges, hear };
}

describe('Tally', () => {
  it('tells the metrics what this process did, and nothing of earlier ones', () => {
    const { tally, told, hear } = open();
    tally.configure(['a']);
    const base = { seen: 100, delivered: 90, dropped: { expired: 10 } };
    hear('a', { base, account: { seen: 102, delivered: 91, dropped: { expired: 11 } } });
    assert.deepEqual(told, { 'a delivered': 1, 'a dropped_expired': 1 });
    hear('a', { base, account: { seen: 102, delivered: 91, dropped: { expired: 11 } } }, 3);
    assert.deepEqual(told, { 'a delivered': 1, 'a dropped_expired': 1, stripped: 3 });
    assert.equal(tally.states()[0]?.delivered, 91, 'states go on over restarts');
  });

  it('counts over a thread that was started again as if it had been one', () => {
    const { tally, told, hear } = open();
    tally.configure(['a']);
    hear('a', { account: { seen: 5, delivered: 5, dropped: {} } }, 2);
    const base = { seen: 7, delivered: 6, dropped: {} };
    hear('a', { base, account: { ...base, delivered: 7 } }, 1);
    assert.deepEqual(told, { 'a delivered': 7, stripped: 3 });
    hear('a', { account: { seen: 2, delivered: 1, dropped: {} } }, 1);
    assert.deepEqual(told, { 'a delivered': 8, stripped: 3 }, 'a new file counts from the beginning');
  });

  it('counts what never reached the thread once, before and after the thread has heard of it', () => {
    const { tally, told, hear } = open();
    tally.configure(['a', 'b']);
    tally.lost('overflow', 2);
    assert.deepEqual(tally.states()[0], {
      name: 'a',
      state: 'ok',
      seen: 2,
      delivered: 0,
      waiting: 0,
      dropped: { overflow: 2 },
    });
    const base = { seen: 1, delivered: 0, dropped: { overflow: 1 } };
    hear('a', { base, account: base });
    assert.deepEqual(tally.states()[0]?.dropped, { overflow: 3 });
    hear('a', { base, account: { seen: 3, delivered: 0, dropped: { overflow: 3 } } });
    assert.deepEqual(tally.states()[0]?.dropped, { overflow: 3 });
    assert.deepEqual(told, { 'a dropped_overflow': 2, 'b dropped_overflow': 2 });
  });

  it('shows what is on its way to the thread as waiting, and why a target fails', () => {
    const { tally, gauges, hear } = open();
    tally.configure(['a']);
    const failing = { sinceEpochMs: 0, error: 'ECONNREFUSED' };
    hear('a', { account: { seen: 3, delivered: 1, dropped: {} }, waiting: { records: 2, bytes: 20 }, failing });
    tally.waiting({ records: 4, bytes: 40 });
    assert.equal(gauges.get('a'), 6);
    assert.deepEqual(tally.states(), [
      {
        name: 'a',
        state: 'failing',
        failingSince: '1970-01-01T00:00:00.000Z',
        error: 'ECONNREFUSED',
        seen: 7,
        delivered: 1,
        waiting: 6,
        dropped: {},
      },
    ]);
  });

  it('forgets the gauges of a target that is gone, unless somebody else serves its name', () => {
    const { tally, gauges, hear } = open();
    tally.configure(['a', 'local']);
    for (const name of ['a', 'local']) hear(name, {});
    tally.configure([]);
    for (const name of ['a', 'local']) hear(name, { gone: true });
    assert.deepEqual([...gauges.keys()], ['local']);
    assert.deepEqual(tally.states(), []);
  });
});
