import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics } from '../observe/metrics.ts';
import { Journal, type JournalMark } from './journal.ts';
import { createLogger } from './logger.ts';
import { recoveredRecord } from './recovered.ts';
import type { Settled } from './targets/line-queue.ts';
import type { Target } from './targets/target.ts';
import { RecordWriter } from './writer.ts';

const identity = { hop: 'sidecar', workload: {} } as const;
const record = recoveredRecord({ id: 'a', atEpochMs: 0, method: 'GET', target: '/', dialect: 'raw' }, identity);

/** Targets that settle when the test says so. */
function heldTargets(count: number) {
  const fates: Settled[] = [];
  const target: Target = {
    deliver: (_bytes, settled) => void fates.push(settled),
    lose: () => {},
    states: () => [],
    close: () => Promise.resolve(),
  };
  return { fates, targets: Array.from({ length: count }, () => target) };
}

function open(targets: readonly Target[]) {
  const marks: JournalMark[] = [];
  const journal = new (class extends Journal {
    override soon(mark: JournalMark): void {
      marks.push(mark);
    }
  })('unused', () => {});
  const logger = createLogger({ write: () => {} });
  const closed: string[] = [];
  const writer = new RecordWriter({
    maker: { count: () => Promise.resolve(), hurry: () => {}, make: () => assert.fail() },
    metrics: createMetrics(),
    logger,
    journal,
    targets: () => targets,
    closed: (id) => closed.push(id),
  });
  return { writer, marks, closed };
}

describe('RecordWriter', () => {
  it('closes an exchange in the journal when every target is done with its record', () => {
    const { fates, targets } = heldTargets(2);
    const { writer, marks, closed } = open(targets);
    writer.put(record);
    fates[0]?.('delivered');
    assert.deepEqual([marks, closed], [[], []]);
    fates[1]?.('overflow');
    assert.deepEqual(marks, [{ mark: 'closed', id: 'a' }]);
    assert.deepEqual(closed, ['a']);
  });

  it('leaves it open when a shutdown cut one of them off', () => {
    const { fates, targets } = heldTargets(2);
    const { writer, marks } = open(targets);
    writer.put(record);
    fates[0]?.('shutdown');
    fates[1]?.('delivered');
    assert.deepEqual(marks, []);
  });

  it('closes it at once where there is no target', () => {
    const { writer, marks } = open([]);
    writer.put(record);
    assert.deepEqual(marks, [{ mark: 'closed', id: 'a' }]);
  });
});
