import assert from 'node:assert/strict';
import test from 'node:test';
import { Health } from './health.ts';

function healthAt(): { health: Health; clock: { now: number }; changes: string[] } {
  const clock = { now: 0 };
  const changes: string[] = [];
  const health = new Health({ now: () => clock.now, onChange: (name, up) => changes.push(`${name} ${up}`) });
  health.retain(new Map([['a', 'http://a']]));
  changes.length = 0;
  return { health, clock, changes };
}

function fail(health: Health, times: number): void {
  for (let count = 0; count < times; count += 1) {
    health.started('a');
    health.attempted('a', 'connect_failed');
  }
}

test('Health ejects after five failures in a row, and a whole answer ends the row', () => {
  const { health, changes } = healthAt();
  fail(health, 4);
  health.attempted('a', undefined);
  assert.equal(health.states()[0]?.consecutiveFailures, 4, 'a head alone is no success');
  health.succeeded('a');
  fail(health, 4);
  assert.ok(health.available('a'));
  fail(health, 1);
  assert.ok(!health.available('a'));
  assert.deepEqual(changes, ['a false']);
  assert.deepEqual(health.states(), [
    { upstream: 'a', state: 'ejected', consecutiveFailures: 5, lastError: 'connect_failed', ejectedForMs: 10_000 },
  ]);
});

test('Health lets one trial at a time through, and returns after three that succeed', () => {
  const { health, clock, changes } = healthAt();
  fail(health, 5);
  clock.now = 10_000;
  for (let trial = 0; trial < 3; trial += 1) {
    assert.ok(health.available('a'));
    health.started('a');
    assert.ok(!health.available('a'), 'a second one has to wait');
    health.attempted('a', undefined);
  }
  assert.deepEqual(changes, ['a false', 'a true']);
  assert.equal(health.states()[0]?.state, 'available');
});

test('Health ejects for longer after a failed trial, and a cancelled trial says nothing', () => {
  const { health, clock } = healthAt();
  fail(health, 5);
  clock.now = 10_000;
  health.started('a');
  health.attempted('a', 'none');
  assert.ok(health.available('a'));
  fail(health, 1);
  assert.equal(health.states()[0]?.ejectedForMs, 20_000);
  fail(health, 3);
  assert.equal(health.states()[0]?.ejectedForMs, 20_000, 'latecomers prolong nothing');
});

test('Health forgets an upstream that moved or is gone', () => {
  const { health } = healthAt();
  fail(health, 5);
  health.retain(
    new Map([
      ['a', 'http://a'],
      ['b', 'http://b'],
    ]),
  );
  assert.ok(!health.available('a'));
  health.retain(new Map([['a', 'http://elsewhere']]));
  assert.ok(health.available('a'));
  assert.deepEqual(
    health.states().map((s) => s.upstream),
    ['a'],
  );
});
