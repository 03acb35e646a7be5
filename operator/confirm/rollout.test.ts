import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodFacts } from '../watch/pod-facts.ts';
import type { Answer } from './ask.ts';
import { parseReport } from './ask.ts';
import { Rollout } from './rollout.ts';

function pod(uid: string, run = 'run-1'): PodFacts {
  return {
    namespace: 'n',
    name: uid,
    uid,
    proxy: 'llm',
    ip: '10.0.0.1',
    phase: 'Running',
    deleting: false,
    revisionAnnotation: '',
    metricsPort: 9019,
    run,
  };
}

/** A rollout whose sidecars answer what the test says; `changed` waits for the next change of the picture. */
function scene(answers: Map<string, Answer>) {
  let notify = Promise.withResolvers<void>();
  const asked: string[] = [];
  const rollout = new Rollout({
    ask: async ({ uid }) => {
      asked.push(uid);
      return answers.get(uid) ?? { kind: 'unreachable', problem: 'ECONNREFUSED' };
    },
    onChange: () => {
      notify.resolve();
      notify = Promise.withResolvers();
    },
  });
  return { rollout, asked, changed: () => notify.promise, states: () => rollout.states().map(({ state }) => state) };
}

const runs = (revision: string, problem?: string): Answer => ({
  kind: 'answered',
  revision,
  problem,
  failingTargets: [],
});

test('asks until every sidecar runs the revision', { timeout: 20_000 }, async (t) => {
  const answers = new Map([
    ['a', runs('r1')],
    ['b', runs('r0', 'no')],
  ]);
  const { rollout, asked, changed, states } = scene(answers);
  t.after(() => rollout.close());
  const first = changed();
  rollout.track('r1', [pod('a'), pod('b')]);
  assert.deepEqual(states(), ['asking', 'asking']);
  await first;
  assert.deepEqual(states(), ['current', 'stale']);
  assert.equal(rollout.states()[1]?.problem, 'no');
  const second = changed();
  answers.set('b', runs('r1'));
  await second;
  assert.deepEqual(states(), ['current', 'current']);
  assert.equal(asked.filter((uid) => uid === 'a').length, 1, 'who confirmed is not asked again so soon');
});

test('an answer from before a change says nothing, not even when the change is taken back', {
  timeout: 20_000,
}, async (t) => {
  const { rollout, changed, states } = scene(new Map([['a', runs('r1')]]));
  t.after(() => rollout.close());
  const first = changed();
  rollout.track('r1', [pod('a')]);
  await first;
  assert.deepEqual(states(), ['current']);
  rollout.track('r2', [pod('a')]);
  rollout.track('r1', [pod('a')]);
  assert.deepEqual(states(), ['asking']);
});

test('a sidecar that was restarted is asked anew', { timeout: 20_000 }, async (t) => {
  const { rollout, changed, states } = scene(new Map([['a', runs('r1')]]));
  t.after(() => rollout.close());
  const first = changed();
  rollout.track('r1', [pod('a')]);
  await first;
  rollout.track('r1', [pod('a', 'run-2')]);
  assert.deepEqual(states(), ['asking']);
});

test('one that does not answer is unreachable, and one that is gone is forgotten', { timeout: 20_000 }, async (t) => {
  const { rollout, changed, states } = scene(new Map([['a', runs('r1')]]));
  t.after(() => rollout.close());
  const first = changed();
  rollout.track('r1', [pod('a'), pod('b')]);
  await first;
  assert.deepEqual(states(), ['current', 'unreachable']);
  rollout.track('r1', [pod('a')]);
  assert.deepEqual(states(), ['current']);
});

const REPORTS: readonly { text: string; answer: Answer }[] = [
  { text: '{"revision":"r1","problems":[]}', answer: runs('r1') },
  { text: '{"revision":"r1"}', answer: runs('r1') },
  { text: '{"revision":null,"problems":[{"path":"routes[0]","message":"Bad."}]}', answer: runs('', 'routes[0]: Bad.') },
  { text: '{"revision":null,"problems":[{"path":"","message":"Bad."}]}', answer: runs('', 'Bad.') },
  { text: '{}', answer: { kind: 'unreachable', problem: '/revision answered no revision' } },
  { text: 'null', answer: { kind: 'unreachable', problem: '/revision answered no revision' } },
  { text: '<html>', answer: { kind: 'unreachable', problem: '/revision answered no JSON' } },
];
for (const { text, answer } of REPORTS) {
  test(`parseReport(${text})`, () => assert.deepEqual(parseReport(text), answer));
}

test('parseReport() lets only so much of what a sidecar says through', () => {
  const answer = parseReport(JSON.stringify({ revision: 'r', problems: [{ path: '', message: 'x'.repeat(5000) }] }));
  assert.ok(answer.problem !== undefined && answer.problem.length <= 201);
});
