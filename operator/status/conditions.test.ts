import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '#contract/finding.ts';
import type { PodState } from '../confirm/rollout.ts';
import { type Condition, conditionsOf, type Outcome, statusOf } from './conditions.ts';
import { happenings } from './events.ts';

const NOW = new Date('2026-11-21T12:00:00.500Z');
const FINE: Outcome = { findings: [], revision: 'r1', failure: undefined, pods: [] };

function podState(
  name: string,
  state: PodState['state'],
  behindMs = 0,
  problem?: string,
  failingTargets: PodState['failingTargets'] = [],
): PodState {
  const pod = {
    namespace: 'n',
    name,
    uid: name,
    proxy: 'llm',
    ip: '1',
    phase: 'Running',
    deleting: false,
    revisionAnnotation: '',
    metricsPort: 1,
    run: 'r',
  };
  return { pod, state, behindMs, problem, failingTargets };
}

function programmed(pods: readonly PodState[]): Condition | undefined {
  return conditionsOf({ ...FINE, pods }, 1, [], NOW).find(({ type }) => type === 'Programmed');
}

test('the transition time stays while the status does, and the reason may change', () => {
  const before = conditionsOf(FINE, 1, [], new Date('2026-11-20T00:00:00Z'));
  const finding: Finding = {
    kind: 'reference',
    reason: 'SecretNotFound',
    path: 'p',
    message: 'm',
    part: { kind: 'upstream', name: 'u' },
  };
  const after = conditionsOf({ ...FINE, findings: [finding] }, 2, before, NOW);
  assert.deepEqual(
    after.map(({ type, status, lastTransitionTime, observedGeneration }) => [
      type,
      status,
      lastTransitionTime,
      observedGeneration,
    ]),
    [
      ['Accepted', 'True', '2026-11-20T00:00:00Z', 2],
      ['ResolvedRefs', 'False', '2026-11-21T12:00:00Z', 2],
      ['Programmed', 'True', '2026-11-20T00:00:00Z', 2],
    ],
  );
});

test("another writer's condition is not ours to apply", () => {
  const other: Condition = {
    type: 'Audited',
    status: 'True',
    reason: 'X',
    message: 'x',
    lastTransitionTime: '2026-11-20T00:00:00Z',
  };
  assert.ok(!conditionsOf(FINE, 1, [other], NOW).some(({ type }) => type === 'Audited'));
});

test('Programmed is true when every sidecar runs the revision', () => {
  const condition = programmed([podState('a', 'current'), podState('b', 'current')]);
  assert.deepEqual([condition?.status, condition?.message], ['True', 'Revision r1 runs in 2 of 2 sidecars.']);
});

test('a sidecar gets ten seconds before it is called unreachable or stale', () => {
  assert.equal(programmed([podState('a', 'unreachable', 9999, 'ECONNREFUSED')])?.reason, 'RollingOut');
  assert.equal(programmed([podState('a', 'unreachable', 10_000, 'ECONNREFUSED')])?.reason, 'PodsUnreachable');
  assert.equal(programmed([podState('a', 'stale', 10_000)])?.reason, 'PodsStale');
});

test('a sidecar that says why it refuses is named at once', () => {
  const condition = programmed([podState('a', 'current'), podState('b', 'stale', 1, 'routes: no')]);
  assert.deepEqual(
    [condition?.reason, condition?.message],
    ['PodsStale', 'Revision r1 runs in 1 of 2 sidecars. Not in b (stale: routes: no).'],
  );
});

test('five sidecars are named, stale ones first', () => {
  const pods = [
    ...Array.from({ length: 6 }, (_, i) => podState(`u${i}`, 'unreachable', 60_000)),
    podState('s', 'stale', 60_000),
  ];
  assert.equal(
    programmed(pods)?.message,
    'Revision r1 runs in 0 of 7 sidecars. Not in s (stale), u0 (unreachable), u1 (unreachable), u2 (unreachable), u3 (unreachable) and 2 more.',
  );
});

test('a failed delivery keeps the revision that was delivered before', () => {
  const status = statusOf(
    { ...FINE, revision: 'r2', failure: 'No.' },
    { metadata: { name: 'llm', generation: 3 } },
    { revision: 'r1' },
    NOW,
  );
  assert.equal(status.revision, 'r1');
  assert.equal(status.observedGeneration, 3);
  assert.equal(status.conditions?.find(({ type }) => type === 'Programmed')?.reason, 'DeliveryFailed');
});

test('what could not be compiled leaves Accepted and ResolvedRefs as they were', () => {
  const before = conditionsOf(FINE, 1, [], NOW);
  const after = conditionsOf({ ...FINE, findings: undefined, failure: 'No.' }, 2, before, NOW);
  assert.deepEqual(after.slice(0, 2), before.slice(0, 2));
});

test('an event for each condition that changed, none for a rollout under way', () => {
  const fine = conditionsOf(FINE, 1, [], NOW);
  const rolling = conditionsOf({ ...FINE, pods: [podState('a', 'stale', 1)] }, 1, fine, NOW);
  const late = conditionsOf({ ...FINE, pods: [podState('a', 'stale', 20_000)] }, 1, rolling, NOW);
  assert.deepEqual(
    happenings([], fine).map(({ type, reason }) => [type, reason]),
    [
      ['Normal', 'Accepted'],
      ['Normal', 'ResolvedRefs'],
      ['Normal', 'Programmed'],
    ],
  );
  assert.deepEqual(happenings(fine, rolling), []);
  assert.deepEqual(
    happenings(rolling, late).map(({ type, reason }) => [type, reason]),
    [['Warning', 'PodsStale']],
  );
  assert.deepEqual(happenings(late, late), []);
});

test('a log target that takes no records is a condition until it does again, and none before it ever failed', () => {
  const of = (pods: readonly PodState[], before: readonly Condition[]): Condition | undefined =>
    conditionsOf({ ...FINE, pods }, 1, before, NOW).find(({ type }) => type === 'TargetsReady');
  const failing = (name: string): PodState =>
    podState(name, 'current', 0, undefined, [{ name: 'pg', error: 'ECONNREFUSED' }]);
  assert.equal(of([podState('a', 'current')], []), undefined);
  const failed = of([failing('a'), podState('b', 'current'), failing('c')], []);
  assert.deepEqual([failed?.status, failed?.reason], ['False', 'TargetFailing']);
  assert.match(
    failed?.message ?? '',
    /^Target "pg" takes no records from 2 of 3 pods, where they wait as far as the spool has room: ECONNREFUSED\.$/,
  );
  const error = 'spec.logging.targets[0].postgres.dsn.secret: Secret "pg" does not exist.';
  const invalid = of([podState('a', 'current', 0, undefined, [{ name: 'pg', error }])], []);
  assert.match(invalid?.message ?? '', / room: spec\.logging\.targets\[0\]\..* does not exist\.$/);
  const mended = of([podState('a', 'current')], failed ? [failed] : []);
  assert.deepEqual([mended?.status, mended?.reason], ['True', 'TargetsReady']);
});
