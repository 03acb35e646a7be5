import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createLogger } from './logger.ts';
import { LossTeller } from './loss-teller.ts';

function open(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const losses = new LossTeller(createLogger({ write }));
  const told = () => lines.splice(0).map(({ target, reason, records }) => [target, reason, records]);
  return { losses, lines, told, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe('LossTeller', () => {
  it('tells the first loss at once and later ones once a minute, of each target and reason', (t) => {
    const { losses, told, pass } = open(t);
    losses.lost('a', 'expired', 3);
    losses.lost('a', 'expired', 2);
    losses.lost('a', 'spool_full', 1);
    losses.lost('b', 'expired', 1);
    assert.deepEqual(told(), [
      ['a', 'expired', 3],
      ['a', 'spool_full', 1],
      ['b', 'expired', 1],
    ]);
    pass(30_000);
    losses.lost('a', 'expired', 4);
    assert.deepEqual(told(), []);
    pass(30_000);
    assert.deepEqual(told(), [['a', 'expired', 6]], 'what came since, and nothing of what was told');
    losses.lost('a', 'expired', 5);
    pass(60_000);
    assert.deepEqual(told(), [['a', 'expired', 5]]);
    pass(60_000);
    losses.lost('a', 'expired', 7);
    assert.deepEqual(told(), [['a', 'expired', 7]], 'at once again, when it had stopped');
  });

  it('leaves nothing untold when it is closed', (t) => {
    const { losses, told, pass } = open(t);
    for (const records of [1, 2, 3]) losses.lost('a', 'expired', records);
    losses.lost('b', 'expired', 4);
    told();
    losses.close();
    losses.close();
    pass(60_000);
    assert.deepEqual(told(), [['a', 'expired', 5]]);
  });

  it('says the way out, and is silent about what is no loss or has a line of its own', (t) => {
    const { losses, lines } = open(t);
    for (const reason of ['superseded', 'shutdown', 'refused', 'invalid', 'corrupt'] as const)
      losses.lost('a', reason, 1);
    losses.lost('a', 'expired', 0);
    losses.stripped(0);
    assert.deepEqual(lines, []);
    losses.lost('a', 'spool_full', 1);
    losses.stripped(2);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'warn'],
    );
    for (const { wayOut } of lines) assert.match(String(wayOut), /logging\.spool\.maxBytes/);
  });
});
