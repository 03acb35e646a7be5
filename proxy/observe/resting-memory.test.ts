import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { giveBackAtRest } from './resting-memory.ts';

const MIB = 1024 * 1024;

/** A process whose memory the test sets, and which falls to 80 MiB when it is collected. */
function grownProcess(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const state = { inFlight: 0, mib: 70, collections: 0 };
  const stop = giveBackAtRest({
    inFlight: () => state.inFlight,
    residentBytes: () => state.mib * MIB,
    collect: () => {
      state.collections++;
      state.mib = 80;
    },
  });
  const look = (inFlight: number, mib: number): number => {
    Object.assign(state, { inFlight, mib });
    t.mock.timers.tick(5_000);
    return state.collections;
  };
  return { look, stop };
}

test('collects once after a burst, at the second look that finds nobody served', (t) => {
  const { look, stop } = grownProcess(t);
  look(0, 70);
  assert.equal(look(0, 70), 0);
  assert.equal(look(500, 170), 0);
  assert.equal(look(0, 240), 0);
  assert.equal(look(0, 240), 1);
  assert.equal(look(0, 90), 1);
  stop();
  look(0, 400);
  assert.equal(look(0, 400), 1);
});

test('collects after a burst that came before the first look', (t) => {
  const { look } = grownProcess(t);
  look(500, 170);
  look(0, 240);
  assert.equal(look(0, 240), 1);
});

test('leaves streams alone, and growth that is not worth a pause', (t) => {
  const { look } = grownProcess(t);
  look(0, 70);
  look(0, 70);
  look(0, 95);
  assert.equal(look(0, 100), 0);
  for (let i = 0; i < 10; i++) assert.equal(look(1, 300), 0);
});

test('does not try again and again where a collection brought nothing', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let collections = 0;
  let mib = 70;
  giveBackAtRest({ inFlight: () => 0, residentBytes: () => mib * MIB, collect: () => collections++ });
  t.mock.timers.tick(10_000);
  mib = 200;
  t.mock.timers.tick(60_000);
  assert.equal(collections, 1);
});

test("V8's own collection frees what nobody holds", (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let bytes = 0;
  giveBackAtRest({ inFlight: () => 0, residentBytes: () => bytes });
  t.mock.timers.tick(10_000);
  let held: object[] | undefined = Array.from({ length: 1_000_000 }, (_, number) => ({ number }));
  assert.equal(held.length, 1_000_000);
  const heapBytes = process.memoryUsage().heapUsed;
  held = undefined;
  bytes = 100 * MIB;
  t.mock.timers.tick(5_000);
  assert.ok(heapBytes - process.memoryUsage().heapUsed > 16 * MIB);
});
