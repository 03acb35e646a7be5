import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ResponseController } from '../upstream/pool.ts';
import { Player } from './player.ts';
import type { Recording } from './recording.ts';

const RECORDING: Recording = {
  status: 200,
  rawHeaders: ['x', 'y'],
  steps: [0, 100, 100, 250].map((atMs, i) => ({ atMs, bytes: Buffer.from(`${i}`) })),
  endsAtMs: 300,
  cut: false,
};

function playing(t: TestContext, speed: number, onData: (controller: ResponseController) => void = () => {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const seen: string[] = [];
  const player = new Player(
    {
      onResponseStart: ({ rawHeaders }, status) => seen.push(`head ${status} ${JSON.stringify(rawHeaders)}`),
      onResponseData: (controller, chunk) => {
        seen.push(chunk.toString());
        onData(controller);
      },
      onResponseEnd: () => seen.push('end'),
      onResponseError: (_controller, error) => seen.push(error.message),
    },
    speed,
  );
  player.begin();
  const tick = (ms: number): string[] => {
    now += ms;
    t.mock.timers.tick(ms);
    return seen.splice(0);
  };
  return { player, tick, seen };
}

test('player: each chunk by itself, at its time, then the end', (t) => {
  const { player, tick } = playing(t, 1);
  player.play(RECORDING);
  assert.deepEqual(tick(0), ['head 200 ["x","y"]', '0']);
  assert.deepEqual(tick(98), []);
  assert.deepEqual(tick(2), ['1', '2']);
  assert.deepEqual(tick(150), ['3']);
  assert.deepEqual(tick(50), ['end']);
});

test('player: twice as fast, and without any wait', (t) => {
  const fast = playing(t, 2);
  fast.player.play(RECORDING);
  assert.deepEqual(fast.tick(0), ['head 200 ["x","y"]', '0']);
  assert.deepEqual(fast.tick(50), ['1', '2']);
  t.mock.restoreAll();
  t.mock.timers.reset();
  const atOnce = playing(t, 0);
  atOnce.player.play(RECORDING);
  assert.deepEqual(atOnce.tick(0), ['head 200 ["x","y"]', '0', '1', '2', '3', 'end']);
});

test('player: nothing comes while the other side has no room; what became due meanwhile comes then', async (t) => {
  const { player, tick, seen } = playing(t, 1, (controller) => controller.pause());
  player.play(RECORDING);
  assert.deepEqual(tick(0), ['head 200 ["x","y"]', '0']);
  assert.deepEqual(tick(1000), []);
  for (const expected of ['1', '2', '3', 'end']) {
    player.resume();
    await nextTurn();
    assert.deepEqual(seen.splice(0), [expected]);
  }
});

test('player: a cut recording ends with an error; an aborted one says so once and nothing more', (t) => {
  const cut = playing(t, 0);
  cut.player.play({ ...RECORDING, cut: true });
  assert.deepEqual(cut.tick(0).slice(-2), ['3', 'The recorded answer breaks off here']);
  t.mock.restoreAll();
  t.mock.timers.reset();
  const left = playing(t, 1);
  left.player.play(RECORDING);
  left.tick(0);
  left.player.abort(new Error('gone'));
  left.player.abort(new Error('again'));
  assert.deepEqual(left.tick(10_000), ['gone']);
});
