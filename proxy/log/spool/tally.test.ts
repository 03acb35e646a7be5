import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../logger.ts';
import type { Account } from './ledger.ts';
import type { TargetReport } from './messages.ts';
import { Tally } from './tally.ts';

const ZERO: Account = { seen: 0, delivered: 0, dropped: {} };

function open() {
  const told: Record<string, number> = {};
  const gauges = new Map<string, number>();
  const lines: Record<string, unknown>[] = [];
  const tally = new Tally({
    metrics: {
      logged: (target, result, records) => {
        if (records > 0) told[`${target} ${result}`] = (told[`${target} ${result}`] ?? 0) + records;
      },
      waiting: (target, records) => void gauges.set(target, records),
      forgetTarget: (target) => void gauges.delete(target),
      spoolInMemory: (inMemory) => void gauges.set('in memory', inMemory ? 1 : 0),
      spoolEvent: (event, times) => {
        if (times > 0) told[event] = (told[event] ?? 0) + times;
      },
    },
    logger: createLogger({ write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }),
    isLocal: (name) => name === 'local',
  });
  const hear = (name: string, report: Partial<TargetReport>, stripped = 0): void =>
    tally.hear({
      inMemory: false,
      targets: [{ name, account: ZERO, base: ZERO, waiting: { records: 0, bytes: 0 }, ...report }],
      stripped,
    });
  return { tally, told, gauges, lines, hear };
}

describe('Tally', () => {
  it('tells the metrics what this process did, and nothing of earlier ones', () => {
    const { tally, told, hear } = open();
    tally.configure([{ name: 'a' }]);
    const base = { seen: 100, delivered: 90, dropped: { expired: 10 } };
    hear('a', { base, account: { seen: 102, delivered: 91, dropped: { expired: 11 } } });
    assert.deepEqual(told, { 'a delivered': 1, 'a dropped_expired': 1 });
    hear('a', { base, account: { seen: 102, delivered: 91, dropped: { expired: 11 } } }, 3);
    assert.deepEqual(told, { 'a delivered': 1, 'a dropped_expired': 1, stripped: 3 });
    assert.equal(tally.states()[0]?.delivered, 91, 'states go on over restarts');
  });

  it('counts over a thread that was started again as if it had been one', () => {
    const { tally, told, hear } = open();
    tally.configure([{ name: 'a' }]);
    hear('a', { account: { seen: 5, delivered: 5, dropped: {} } }, 2);
    const base = { seen: 7, delivered: 6, dropped: {} };
    hear('a', { base, account: { ...base, delivered: 7 } }, 1);
    assert.deepEqual(told, { 'a delivered': 7, stripped: 3 });
    hear('a', { account: { seen: 2, delivered: 1, dropped: {} } }, 1);
    assert.deepEqual(told, { 'a delivered': 8, stripped: 3 }, 'a new file counts from the beginning');
  });

  it('counts what never reached the thread once, before and after the thread has heard of it', () => {
    const { tally, told, hear } = open();
    tally.configure([{ name: 'a' }, { name: 'b' }]);
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

  it('counts what was lost with the memory of a thread once, and adds up all the while', () => {
    const { tally, told, gauges, hear } = open();
    const state = () => {
      const { seen, delivered, waiting, dropped } = tally.states()[0] ?? assert.fail();
      return { seen, delivered, waiting, dropped };
    };
    tally.configure([{ name: 'a' }]);
    const base = { seen: 10, delivered: 8, dropped: { expired: 2 } };
    hear('a', { base, account: { ...base, seen: 14 }, waiting: { records: 4, bytes: 40 } });
    tally.ended(3);
    tally.lost('failed', 3);
    assert.deepEqual(state(), { seen: 14, delivered: 8, waiting: 1, dropped: { expired: 2, failed: 3 } });
    assert.equal(gauges.get('a'), 1);
    hear('a', { base, account: base });
    assert.deepEqual(state(), { seen: 13, delivered: 8, waiting: 0, dropped: { expired: 2, failed: 3 } });
    tally.confirmed({ failed: 3 });
    hear('a', { base, account: { seen: 13, delivered: 8, dropped: { expired: 2, failed: 3 } } });
    assert.deepEqual(state(), { seen: 13, delivered: 8, waiting: 0, dropped: { expired: 2, failed: 3 } });
    assert.deepEqual(told, { 'a dropped_failed': 3 });
  });

  it('takes no loss that a thread wrote down for one of which the next has yet to hear', () => {
    const { tally, told, hear } = open();
    tally.configure([{ name: 'a' }]);
    hear('a', { account: { seen: 5, delivered: 5, dropped: {} } });
    tally.lost('overflow', 2);
    tally.confirmed({ overflow: 2 });
    const base = { seen: 4, delivered: 2, dropped: { overflow: 2 } };
    hear('a', { base, account: base });
    hear('a', { base, account: { seen: 6, delivered: 2, dropped: { overflow: 4 } } });
    assert.deepEqual(told, { 'a delivered': 5, 'a dropped_overflow': 4 });
  });

  it('shows what is on its way to the thread as waiting, and why a target fails', () => {
    const { tally, gauges, hear } = open();
    tally.configure([{ name: 'a' }]);
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

  it('tells the metrics whether records are in memory alone', () => {
    const { tally, gauges } = open();
    for (const inMemory of [true, false]) {
      tally.hear({ targets: [], stripped: 0, inMemory });
      assert.equal(gauges.get('in memory'), inMemory ? 1 : 0);
    }
  });

  it('has a line for what is lost, by this process alone', () => {
    const { tally, lines, hear } = open();
    tally.configure([{ name: 'a' }]);
    const base = { seen: 10, delivered: 0, dropped: { expired: 10 } };
    hear('a', { base, account: base });
    assert.deepEqual(lines, []);
    hear('a', { base, account: { seen: 16, delivered: 0, dropped: { expired: 12, superseded: 4 } } }, 3);
    tally.lost('overflow', 7);
    assert.deepEqual(
      lines.map(({ level, target, reason, records }) => [level, target, reason, records]),
      [
        ['warn', 'a', 'expired', 2],
        ['warn', undefined, undefined, 3],
        ['warn', 'a', 'overflow', 7],
      ],
    );
  });

  it('says how many records wait for a target that leaves the config', () => {
    const { tally, lines, hear } = open();
    tally.configure([{ name: 'a' }, { name: 'b' }]);
    hear('a', { account: { seen: 3, delivered: 0, dropped: {} }, waiting: { records: 3, bytes: 30 } });
    tally.configure([{ name: 'b' }]);
    tally.configure([]);
    assert.deepEqual(
      lines.map(({ level, target, waiting }) => [level, target, waiting]),
      [['warn', 'a', 3]],
    );
    assert.match(String(lines[0]?.['message']), /dropped unless it takes it within 10 s/);
  });

  it('tells what the end of this process cut off from what that of earlier ones did', () => {
    const { tally, hear } = open();
    tally.configure([{ name: 'a' }, { name: 'b' }]);
    const base = { seen: 5, delivered: 0, dropped: { shutdown: 5 } };
    hear('a', { base, account: base });
    assert.equal(tally.cutOff, 0);
    hear('a', { base, account: { seen: 6, delivered: 0, dropped: { shutdown: 6 } } });
    tally.lost('shutdown', 2);
    assert.equal(tally.cutOff, 5, 'one of the thread, and two for each target');
  });

  it('shows a target that cannot work as it is declared as invalid, whatever it failed with before', () => {
    const { tally, hear } = open();
    const failing = { sinceEpochMs: 0, error: '401' };
    hear('a', { account: { seen: 2, delivered: 0, dropped: {} }, waiting: { records: 2, bytes: 20 }, failing });
    const counts = { name: 'a', seen: 2, delivered: 0, waiting: 2, dropped: {} };
    tally.configure([{ name: 'a', message: 'Name a Secret.' }]);
    assert.deepEqual(tally.states(), [{ ...counts, state: 'invalid', error: 'Name a Secret.' }]);
    tally.configure([{ name: 'a' }]);
    const failingSince = '1970-01-01T00:00:00.000Z';
    assert.deepEqual(tally.states(), [{ ...counts, state: 'failing', failingSince, error: '401' }]);
  });

  it('forgets the gauges of a target that is gone, unless somebody else serves its name', () => {
    const { tally, gauges, hear } = open();
    tally.configure([{ name: 'a' }, { name: 'local' }]);
    for (const name of ['a', 'local']) hear(name, {});
    tally.configure([]);
    for (const name of ['a', 'local']) hear(name, { gone: true });
    assert.deepEqual([...gauges.keys()].sort(), ['in memory', 'local']);
    assert.deepEqual(tally.states(), []);
  });
});
