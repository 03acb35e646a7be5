import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remainderMessage, type TargetRemainder } from '#contract/remainder.ts';
import { podFacts } from '../watch/pod-facts.ts';
import { accountOf } from './account.ts';
import type { LeftBehind } from './left-behind.ts';

const STORE: TargetRemainder = { name: 'store', waiting: 5, dropped: 0 };
const STDOUT: TargetRemainder = { name: 'stdout', waiting: 0, dropped: 2 };

function left(targets: readonly TargetRemainder[], more: Partial<LeftBehind> & { final?: boolean } = {}): LeftBehind {
  const { final = true, ...rest } = more;
  return { remainder: { final, targets }, endedAt: '2026-11-21T12:00:00Z', ...rest };
}

test('what waited and what was given up is lost with a volume that ends with the pod', () => {
  const { lost, happening } = accountOf('p', left([STORE, STDOUT]), ['store', 'stdout']);
  assert.deepEqual(Object.fromEntries(lost), { store: 5, stdout: 2 });
  assert.deepEqual([happening.type, happening.reason], ['Warning', 'RecordsLeftBehind']);
  assert.match(happening.note, /^Pod "p" ended .*: 5 for log target "store", 2 for log target "stdout"; they are lost/);
  assert.match(happening.note, /spec\.sidecar\.stateVolume/);
  assert.doesNotMatch(happening.note, /killed/);
});

test('what waits on a claim is kept and counted as lost nowhere', () => {
  const { lost, happening } = accountOf('p', left([STORE], { claim: 'records-p' }), ['store']);
  assert.equal(lost.size, 0);
  assert.deepEqual([happening.type, happening.reason], ['Normal', 'RecordsKept']);
  assert.match(happening.note, /5 for log target "store"; they stay on claim "records-p"/);
});

test('what was given up is lost whatever holds the rest, and the event says both', () => {
  const { lost, happening } = accountOf('p', left([STORE, STDOUT], { claim: 'c' }), ['store', 'stdout']);
  assert.deepEqual(Object.fromEntries(lost), { stdout: 2 });
  assert.equal(happening.reason, 'RecordsLeftBehind');
  assert.match(
    happening.note,
    /2 for log target "stdout"; they are lost .*5 for log target "store"; they stay on claim/,
  );
});

test('a sidecar that was killed is said to be, with the longer grace as a way out', () => {
  const { happening } = accountOf('p', left([STORE], { final: false }), ['store']);
  assert.match(happening.note, /killed.*terminationGracePeriodSeconds/);
});

test('targets that the resource does not name are counted together', () => {
  const foreign = ['a', 'b'].map((name) => ({ name, waiting: 1, dropped: 0 }));
  assert.deepEqual(Object.fromEntries(accountOf('p', left([STORE, ...foreign]), ['store']).lost), {
    store: 5,
    other: 2,
  });
});

/** A pod as the API server gives it, its sidecar ended. */
function pod(state: object, volume: object = { emptyDir: {} }): ReturnType<typeof podFacts> {
  const volumeMounts = [
    { name: 'sluice-config', mountPath: '/etc/sluice' },
    { name: 'records', mountPath: '/var/lib/sluice' },
  ];
  return podFacts({
    metadata: { name: 'p', namespace: 'n', uid: '1', labels: { 'sluice.dev/proxy': 'llm' } },
    spec: {
      initContainers: [{ name: 'sluice', volumeMounts }],
      containers: [{ name: 'app' }],
      volumes: [
        { name: 'other', persistentVolumeClaim: { claimName: 'not-this' } },
        { name: 'records', ...volume },
      ],
    },
    status: { phase: 'Succeeded', initContainerStatuses: [{ name: 'sluice', ...state }] },
  });
}

const message = remainderMessage({ final: true, targets: [STORE] });
const terminated = { message, finishedAt: '2026-11-21T12:00:00Z' };

test('podFacts() reads what the ended sidecar said, and which claim holds its records', () => {
  assert.deepEqual(pod({ state: { terminated } }).left, left([STORE]));
  const claimed = pod({ state: { terminated } }, { persistentVolumeClaim: { claimName: 'records-p' } });
  assert.equal(claimed.left?.claim, 'records-p');
  const ephemeral = pod({ state: { terminated } }, { ephemeral: { volumeClaimTemplate: {} } });
  assert.deepEqual(ephemeral.left, left([STORE]));
});

test('podFacts() takes nothing from a sidecar that runs again, said nothing, or has nothing left', () => {
  const nothing = remainderMessage({ final: true, targets: [] });
  for (const state of [
    { state: { running: {} }, lastState: { terminated } },
    { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated } },
    { state: { terminated: { exitCode: 137 } } },
    { state: { terminated: { message: 'Cannot start' } } },
    { state: { terminated: { message: nothing } } },
  ]) {
    assert.equal('left' in pod(state), false, JSON.stringify(state));
  }
});
