import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodFacts } from './pod-facts.ts';
import { PodCache } from './pods.ts';

const POD: PodFacts = {
  namespace: 'n',
  name: 'p',
  uid: '1',
  proxy: 'llm',
  ip: '10.0.0.1',
  phase: 'Running',
  deleting: false,
  revisionAnnotation: '',
  metricsPort: 9019,
  run: 'containerd://1',
};
const DELETING = { ...POD, deleting: true };

function cache(): { readonly pods: PodCache; readonly ended: PodFacts[] } {
  const ended: PodFacts[] = [];
  return {
    pods: new PodCache(
      () => undefined,
      (pod) => ended.push(pod),
    ),
    ended,
  };
}

test('PodCache tells of a pod that was deleted, with the last that its deletion brought', () => {
  const { pods, ended } = cache();
  const store = pods.storeFor(undefined);
  store.put(POD);
  store.put(DELETING);
  assert.deepEqual(ended, [], 'a pod in its grace still delivers');
  const last = { ...DELETING, phase: 'Failed', run: '' };
  store.remove(last);
  assert.equal(ended[0], last);
});

test('PodCache tells of a pod whose phase is final while the pod is still there', () => {
  const { pods, ended } = cache();
  pods.storeFor(undefined).replace([POD, { ...POD, name: 'job', uid: '2', phase: 'Succeeded' }]);
  assert.deepEqual(
    ended.map(({ name }) => name),
    ['job'],
  );
});

test('PodCache tells of a pod that was deleted unseen, and of one that was made anew under its name', () => {
  const { pods, ended } = cache();
  const store = pods.storeFor(undefined);
  store.replace([DELETING, { ...DELETING, name: 'sts-0', uid: '2' }]);
  store.replace([{ ...POD, name: 'sts-0', uid: '3' }]);
  assert.deepEqual(
    ended.map(({ uid }) => uid),
    ['1', '2'],
  );
});

test('PodCache does not take a pod that lost the label for one that ended', () => {
  const { pods, ended } = cache();
  const store = pods.storeFor(undefined);
  store.put(POD);
  store.remove(POD);
  assert.deepEqual(ended, []);
});
