import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './cluster/api-error.ts';
import type { KubeObject } from './cluster/kinds.ts';
import { leadWhileHeld } from './lead.ts';
import { Lease, type LeaseOptions } from './lease.ts';
import { createLogger } from './logger.ts';

/** One Lease with optimistic locking, as the API server keeps it. */
class LeaseApi {
  stored: KubeObject | undefined;
  broken = false;
  reads = 0;
  #version = 0;

  readonly cluster: LeaseOptions['cluster'] = {
    get: async () => {
      this.#check();
      this.reads += 1;
      return structuredClone(this.stored);
    },
    create: async (_, object) => {
      this.#check();
      if (this.stored) throw new ApiError(409, 'AlreadyExists', 'there is one');
      return this.#store(object);
    },
    replace: async (_, object) => {
      this.#check();
      if (object.metadata.resourceVersion !== this.stored?.metadata.resourceVersion)
        throw new ApiError(409, 'Conflict', 'changed');
      return this.#store(object);
    },
  };

  get holder(): unknown {
    return (this.stored?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;
  }

  put(spec: object): void {
    this.#store({ metadata: { name: 'lease', namespace: 'n' }, spec });
  }

  #check(): void {
    if (this.broken) throw new Error('ECONNREFUSED');
  }

  #store(object: KubeObject): KubeObject {
    this.#version += 1;
    this.stored = {
      ...structuredClone(object),
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    };
    return structuredClone(this.stored);
  }
}

const TIMES = { durationMs: 300, renewWithinMs: 200, retryMs: 10 };
const QUIET = createLogger('error', { write: () => undefined });

function lease(api: LeaseApi, identity: string, times = TIMES): Lease {
  return new Lease({
    name: { namespace: 'n', name: 'lease' },
    identity,
    cluster: api.cluster,
    logger: QUIET,
    times,
  });
}

const never = new AbortController().signal;

test('the first takes it, the second only when it was given back', async () => {
  const api = new LeaseApi();
  const first = lease(api, 'first');
  const second = lease(api, 'second');
  await first.acquire(never);
  assert.deepEqual([first.isHeld(), second.isHeld(), api.holder], [true, false, 'first']);
  const holding = new AbortController();
  const held = first.hold(holding.signal);
  const taken = second.acquire(never);
  holding.abort();
  assert.equal(await held, 'stopped');
  assert.equal(api.holder, 'first');
  await first.release(never);
  await taken;
  assert.deepEqual([first.isHeld(), second.isHeld(), api.holder], [false, true, 'second']);
  assert.equal((api.stored?.['spec'] as { leaseTransitions: number } | undefined)?.leaseTransitions, 1);
});

test('a renewal is one request; what others wrote since is read before it is overwritten', async () => {
  const api = new LeaseApi();
  const own = lease(api, 'own');
  await own.acquire(never);
  const stopping = new AbortController();
  const held = own.hold(stopping.signal);
  const changed = async (): Promise<void> => {
    const before = api.stored?.metadata.resourceVersion;
    while (api.stored?.metadata.resourceVersion === before) await new Promise((resolve) => setImmediate(resolve));
  };
  for (let renewal = 0; renewal < 3; renewal += 1) await changed();
  assert.equal(api.reads, 1);
  api.put({ holderIdentity: 'own', leaseDurationSeconds: 15, leaseTransitions: 7 });
  await changed();
  stopping.abort();
  assert.equal(await held, 'stopped');
  assert.equal((api.stored?.['spec'] as { leaseTransitions: number } | undefined)?.leaseTransitions, 7);
  assert.equal(api.reads, 2);
});

test("a silent holder's lease ends by our own clock, whatever his clock says", async () => {
  const api = new LeaseApi();
  api.put({ holderIdentity: 'dead', leaseDurationSeconds: 0.1, renewTime: '2100-01-01T00:00:00.000000Z' });
  const own = lease(api, 'own');
  await own.acquire(never);
  assert.equal(api.holder, 'own');
});

test('a holder with a clock from the past is left alone while he renews', async () => {
  const api = new LeaseApi();
  api.put({ holderIdentity: 'other', leaseDurationSeconds: 0.2, renewTime: '1999-01-01T00:00:00.000000Z' });
  let renewals = 0;
  const renewing = setInterval(() => {
    renewals += 1;
    api.put({
      holderIdentity: 'other',
      leaseDurationSeconds: 0.2,
      renewTime: `1999-01-01T00:00:00.${String(renewals).padStart(6, '0')}Z`,
    });
  }, 20);
  const giveUp = AbortSignal.timeout(600);
  await assert.rejects(lease(api, 'own').acquire(giveUp));
  clearInterval(renewing);
  assert.equal(api.holder, 'other');
});

test('is lost when it cannot be renewed in time, and says so before it has ended for others', async () => {
  const api = new LeaseApi();
  const own = lease(api, 'own');
  await own.acquire(never);
  api.broken = true;
  assert.equal(await own.hold(never), 'lost');
  assert.equal(own.isHeld(), false);
});

test('a short failure loses nothing', async () => {
  const api = new LeaseApi();
  const own = lease(api, 'own');
  await own.acquire(never);
  const stopping = new AbortController();
  const held = own.hold(stopping.signal);
  api.broken = true;
  await new Promise((resolve) => setTimeout(resolve, 60));
  api.broken = false;
  const before = api.stored?.metadata.resourceVersion;
  while (api.stored?.metadata.resourceVersion === before) await new Promise((resolve) => setImmediate(resolve));
  stopping.abort();
  assert.equal(await held, 'stopped');
  assert.equal(api.holder, 'own');
});

test('a renewal that failed is tried again sooner than the next would be due', async () => {
  const api = new LeaseApi();
  const own = lease(api, 'own', { durationMs: 1200, renewWithinMs: 1000, retryMs: 500 });
  await own.acquire(never);
  const replace = api.cluster.replace;
  const stopping = new AbortController();
  let tries = 0;
  api.cluster.replace = async (...args) => {
    tries += 1;
    if (tries === 1) throw new Error('ECONNRESET');
    stopping.abort();
    return replace(...args);
  };
  assert.equal(await own.hold(stopping.signal), 'stopped');
});

test('is lost at once when another holds it, even if he has let it go since', async () => {
  for (const holderIdentity of ['other', '']) {
    const api = new LeaseApi();
    const own = lease(api, 'own');
    await own.acquire(never);
    api.put({ holderIdentity, leaseDurationSeconds: 15 });
    assert.equal(await own.hold(never), 'lost');
    assert.equal(api.holder, holderIdentity, 'it was taken back');
  }
});

test('leadWhileHeld() gives the lease back after the work has ended, not before', async () => {
  const api = new LeaseApi();
  const stopping = new AbortController();
  const finishing = Promise.withResolvers<void>();
  const leading = leadWhileHeld(
    lease(api, 'own'),
    async (signal) => {
      stopping.abort();
      assert.equal(signal.aborted, true);
      await finishing.promise;
    },
    stopping.signal,
  );
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(api.holder, 'own');
  finishing.resolve();
  assert.equal(await leading, 'stopped');
  assert.equal(api.holder, '');
});

test('leadWhileHeld() aborts the work when the lease is lost', async () => {
  const api = new LeaseApi();
  const leading = leadWhileHeld(
    lease(api, 'own'),
    (signal) => {
      api.broken = true;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
    never,
  );
  assert.equal(await leading, 'lost');
});
