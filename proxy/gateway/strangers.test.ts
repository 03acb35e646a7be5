import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestHead, Tap } from '../exchange.ts';
import { Strangers } from './strangers.ts';

const HEAD = { id: 'x', dialect: 'anthropic' } as RequestHead;

test('Strangers records the first refusals and a few a second; the others are counted, with nothing kept', () => {
  let nowMs = 0;
  let recorded = 0;
  let unrecorded = 0;
  const ends: string[] = [];
  const strangers = new Strangers({
    now: () => nowMs,
    openTap: () => {
      recorded += 1;
      return { ended: () => {} } as unknown as Tap;
    },
    metrics: {
      exchangeEnded: ({ route, upstream, dialect, code, end }) =>
        ends.push([route, upstream, dialect, code, end].join(' ')),
      unrecorded: () => {
        unrecorded += 1;
      },
    },
  });
  const refuse = (count: number): void => {
    for (let index = 0; index < count; index += 1) strangers.openTap(HEAD).ended({ kind: 'rejected' }, 401);
  };
  refuse(1000);
  assert.deepEqual([recorded, unrecorded], [60, 940]);
  assert.deepEqual([ends.length, ends[0]], [940, '  anthropic 401 rejected']);
  nowMs += 2000;
  refuse(10);
  assert.equal(recorded, 62);
  nowMs += 24 * 3600_000;
  refuse(1000);
  assert.equal(recorded, 122);
});
