import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { captured, factsOf } from '../../test/support/sample-facts.ts';
import { createMetrics } from '../observe/metrics.ts';
import type { ExchangeFacts } from './exchange-facts.ts';
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

type Maker = ConstructorParameters<typeof RecordWriter>[0]['maker'];
const NO_MAKER: Maker = { count: () => Promise.resolve(), hurry: () => {}, make: () => assert.fail() };

/** Makes records when the test says so. */
function heldMaker() {
  const asked = new Map<string, PromiseWithResolvers<Buffer>>();
  const maker: Maker = {
    ...NO_MAKER,
    make({ head }) {
      const line = Promise.withResolvers<Buffer>();
      asked.set(head.id, line);
      return line.promise;
    },
  };
  return { asked, maker };
}

/** One whose record is made in the other thread. */
function endedExchange(id: string): ExchangeFacts {
  const { head, rules, arrivals: _arrivals, ...facts } = factsOf('', ['x']);
  return {
    ...facts,
    head: { ...head, id },
    rules: { ...rules, records: true },
    requestBody: captured([]),
    responseBody: captured([]),
    times: { endedAt: 1 },
    end: { kind: 'complete' },
  };
}

const LINE = Buffer.from('{}\n');

function open(targets: readonly Target[], maker = NO_MAKER) {
  const marks: JournalMark[] = [];
  const journal = new (class extends Journal {
    override soon(mark: JournalMark): void {
      marks.push(mark);
    }
  })('unused', () => {});
  const logger = createLogger({ write: () => {} });
  const closed: string[] = [];
  const writer = new RecordWriter({
    maker,
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

  it('has the record of what ends made while others are, some at once, and the rest as they are ready', async () => {
    const { fates, targets } = heldTargets(1);
    const { asked, maker } = heldMaker();
    const { writer } = open(targets, maker);
    writer.add(endedExchange('first'));
    await someTurns();
    writer.add(endedExchange('second'));
    await someTurns();
    assert.deepEqual([...asked.keys()], ['first', 'second']);
    for (let n = 0; n < 300; n++) writer.add(endedExchange(`n${n}`));
    await someTurns();
    assert.equal(asked.size, 256);
    for (const { resolve } of asked.values()) resolve(LINE);
    await someTurns();
    assert.equal(asked.size, 302);
    for (const { resolve } of asked.values()) resolve(LINE);
    await writer.close(new AbortController().signal);
    assert.equal(fates.length, 302);
  });

  it('counts what a shutdown cut off once, and brings no target what is ready too late', async () => {
    const { fates, targets } = heldTargets(1);
    const lost: string[] = [];
    const { asked, maker } = heldMaker();
    const { writer } = open(
      targets.map((target) => ({ ...target, lose: (reason) => void lost.push(reason) })),
      maker,
    );
    for (let n = 0; n < 260; n++) writer.add(endedExchange(`n${n}`));
    await someTurns();
    asked.get('n0')?.resolve(LINE);
    asked.get('n1')?.reject(new Error('planted'));
    await someTurns();
    await writer.close(AbortSignal.abort());
    for (const { resolve } of asked.values()) resolve(LINE);
    await someTurns();
    assert.equal(fates.length, 1);
    assert.deepEqual(lost, ['failed', ...Array.from({ length: 258 }, () => 'shutdown')]);
  });
});

async function someTurns(): Promise<void> {
  for (let n = 0; n < 10; n++) await nextTurn();
}
