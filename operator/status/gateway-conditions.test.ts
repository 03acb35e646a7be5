import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodState } from '../confirm/rollout.ts';
import { type Outcome, statusOf } from './conditions.ts';

const RESOURCE = { metadata: { name: 'shared', generation: 3 } };
const GATEWAY = { deployment: 'sluice-shared', replicas: 2, url: 'https://sluice-shared.platform.svc' };

function statusWith(pods: readonly PodState[], gateway: Outcome['gateway'] = GATEWAY) {
  const outcome = { findings: [], revision: 'r1', failure: undefined, pods, ...(gateway && { gateway }) };
  const status = statusOf(outcome, RESOURCE, {}, new Date('2026-11-21T12:00:00Z'));
  const programmed = status.conditions?.find(({ type }) => type === 'Programmed');
  return { status, programmed };
}

const pod = {
  namespace: 'platform',
  name: 'sluice-shared-0',
  uid: '1',
  proxy: 'shared',
  ip: '10.0.0.1',
  phase: 'Running',
  deleting: false,
  revisionAnnotation: 'r1',
  metricsPort: 9019,
  run: 'a',
};
const current: PodState = { pod, state: 'current', problem: undefined, failingTargets: [], behindMs: 0 };

test('a gateway without pods is not programmed, and says which Deployment to look at', () => {
  const { status, programmed } = statusWith([]);
  assert.deepEqual([programmed?.status, programmed?.reason], ['False', 'RollingOut']);
  assert.match(programmed?.message ?? '', /no pod of Deployment "sluice-shared" runs yet/);
  assert.deepEqual(status.gateway, { url: GATEWAY.url });
});

test('a gateway with pods, or scaled to none on purpose, is programmed', () => {
  const { programmed } = statusWith([current]);
  assert.deepEqual([programmed?.status, programmed?.message], ['True', 'Revision r1 runs in 1 of 1 gateway pods.']);
  assert.equal(statusWith([], { ...GATEWAY, replicas: 0 }).programmed?.status, 'True');
});

test('what is no gateway has none in its status', () => {
  assert.equal(
    statusOf({ findings: [], revision: 'r1', failure: undefined, pods: [] }, RESOURCE, {}, new Date()).gateway,
    undefined,
  );
});
