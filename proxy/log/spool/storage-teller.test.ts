import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SpoolReply } from './messages.ts';
import type { StorageEvent } from './storage.ts';
import { storageTeller } from './storage-teller.ts';

const FULL = Object.assign(new Error('database or disk is full'), { errcode: 13 });
const SPOOL = '/state/spool/spool.db';

function open(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let ms = 0;
  const sent: SpoolReply[] = [];
  const tell = storageTeller({
    stateDirectory: '/state',
    now: () => ms,
    send: (reply) => sent.push(reply),
    textOf: (error) => (error as Error).message,
  });
  const lines = () =>
    sent.splice(0).flatMap((reply) => (reply.kind === 'log' ? [{ ...reply.fields, level: reply.level }] : []));
  const pass = (more: number): void => {
    ms += more;
    t.mock.timers.tick(more);
  };
  const full: StorageEvent = { event: 'held_in_memory', error: FULL };
  const works: StorageEvent = { event: 'on_disk_again' };
  return { tell, lines, pass, full, works };
}

describe('storageTeller', () => {
  it('names the path, the problem and the way out, and says when it is over', (t) => {
    const { tell, lines, full, works } = open(t);
    tell(full);
    tell(works);
    const problem = 'database or disk is full; free space on that volume, or make it larger';
    assert.deepEqual(lines(), [
      { level: 'error', path: SPOOL, problem },
      { level: 'info', path: SPOOL },
    ]);
  });

  it('has one complaint a minute of a disk that is full now and then, and ends with what is true', (t) => {
    const { tell, lines, pass, full, works } = open(t);
    for (let n = 0; n < 5; n++) {
      tell(full);
      tell(works);
      pass(2_000);
    }
    assert.deepEqual(
      lines().map(({ level }) => level),
      ['error', 'info'],
    );
    pass(60_000);
    assert.deepEqual(lines(), [], 'it works');
    tell(full);
    tell(works);
    tell(full);
    assert.equal(lines().length, 2);
    pass(60_000);
    assert.deepEqual(
      lines().map(({ level }) => level),
      ['error'],
      'it still cannot be written',
    );
  });

  it('never leaves out how many records were lost with a damaged file, and says how to look at it', (t) => {
    const { tell, lines } = open(t);
    const aside = {
      event: 'set_aside',
      path: `${SPOOL}.corrupt-1`,
      error: new Error('file is not a database'),
    } as const;
    tell(aside);
    tell({ ...aside, lostRecords: 7 });
    const facts = { level: 'error', path: `${SPOOL}.corrupt-1`, problem: 'file is not a database' };
    assert.deepEqual(lines(), [
      { ...facts, lostRecords: 'unknown' },
      { ...facts, lostRecords: 7 },
    ]);
  });
});
