import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamProxy } from '#contract/resources.ts';
import { ApiError } from '../cluster/api-error.ts';
import { type Cluster, connect } from '../cluster/cluster.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import { createLimiter } from '../limiter.ts';
import { createLogger } from '../logger.ts';
import { EventRecorder, type Once } from './events.ts';

const PROXY: StreamProxy = { metadata: { name: 'llm', namespace: 'n', uid: 'r' }, spec: { upstreams: [], routes: [] } };
const POD = { namespace: 'n', name: 'p', uid: '1' };
const SIGNAL = new AbortController().signal;

function once(note: string): Once {
  return { name: 'left-behind.1', happening: { type: 'Warning', reason: 'RecordsLeftBehind', note }, pod: POD };
}

function recorder(create: Cluster['create']): EventRecorder {
  const access = { server: new URL('http://127.0.0.1:1'), limit: createLimiter(1), options: async () => ({}) };
  return new EventRecorder({ ...connect(access), create }, 'operator-0', createLogger('error', { write: () => '' }));
}

test('recordOnce() writes an event about the resource under the given name, with the pod beside it', async () => {
  const written: KubeObject[] = [];
  const events = recorder(async (_kind, object) => {
    written.push(object);
    return object;
  });
  assert.equal(await events.recordOnce(PROXY, once('x'.repeat(2000)), SIGNAL), true);
  const [event] = written;
  assert.deepEqual(event?.metadata, { name: 'left-behind.1', namespace: 'n' });
  assert.deepEqual(event?.['related'], { apiVersion: 'v1', kind: 'Pod', ...POD });
  assert.equal((event?.['regarding'] as { name: string } | undefined)?.name, 'llm');
  assert.equal(String(event?.['note']).length, 1000, 'the API takes no longer note');
});

test('recordOnce() tells an event that is there from one that cannot be written', async () => {
  const failing = (status: number): EventRecorder =>
    recorder(async () => {
      throw new ApiError(status, '', 'No');
    });
  assert.equal(await failing(409).recordOnce(PROXY, once('x'), SIGNAL), false);
  await assert.rejects(failing(403).recordOnce(PROXY, once('x'), SIGNAL), { status: 403 });
});

test('recordOnce() is bounded by no budget: each pod that ends has its event', async () => {
  let written = 0;
  const events = recorder(async (_kind, object) => {
    written += 1;
    return object;
  });
  for (let n = 0; n < 30; n += 1) await events.recordOnce(PROXY, once('x'), SIGNAL);
  assert.equal(written, 30);
});
