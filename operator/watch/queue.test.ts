import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { WorkQueue } from './queue.ts';

/** What take() gives now, or undefined when it would wait. */
async function taken(queue: WorkQueue): Promise<string | undefined> {
  return queue.depth === 0 ? undefined : queue.take();
}

test('a key that waits is there once', async () => {
  const queue = new WorkQueue();
  queue.add('a');
  queue.add('b');
  queue.add('a');
  assert.equal(queue.depth, 2);
  assert.deepEqual([await queue.take(), await queue.take()], ['a', 'b']);
});

test('a key that is worked on comes again afterwards, and not before', async () => {
  const queue = new WorkQueue();
  queue.add('a');
  await queue.take();
  queue.add('a');
  queue.add('a');
  assert.equal(queue.depth, 0, 'handed out twice at the same time');
  queue.done('a');
  assert.equal(await taken(queue), 'a');
  queue.done('a');
  assert.equal(await taken(queue), undefined);
});

test('a key that was not added meanwhile does not come again', async () => {
  const queue = new WorkQueue();
  queue.add('a');
  await queue.take();
  queue.done('a');
  assert.equal(queue.depth, 0);
});

test('who waits gets the next key, in the order of waiting', async () => {
  const queue = new WorkQueue();
  const both = Promise.all([queue.take(), queue.take()]);
  queue.add('a');
  queue.add('b');
  assert.deepEqual(await both, ['a', 'b']);
});

test('close() ends every wait, and nothing is handed out afterwards', async () => {
  const queue = new WorkQueue();
  const waiting = queue.take();
  queue.close();
  queue.add('a');
  assert.equal(await waiting, undefined);
  assert.equal(await queue.take(), undefined);
});

test('addAfter() adds after its time, and of two times the earlier counts', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue();
  queue.addAfter('a', 500);
  queue.addAfter('a', 100);
  queue.addAfter('a', 900);
  t.mock.timers.tick(99);
  assert.equal(queue.depth, 0);
  t.mock.timers.tick(1);
  assert.equal(queue.depth, 1);
});

test('the backoff doubles from 5 ms to 1000 s, for each key alone, and forget() starts it anew', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const queue = new WorkQueue();
  const steps = Array.from({ length: 20 }, () => queue.addRateLimited('a'));
  assert.deepEqual(steps.slice(0, 5), [5, 10, 20, 40, 80]);
  assert.deepEqual(steps.slice(-2), [1_000_000, 1_000_000]);
  assert.equal(queue.addRateLimited('b'), 5);
  queue.forget('a');
  assert.equal(queue.addRateLimited('a'), 5);
  mock.timers.reset();
});

test('the depth is told whenever it changes', async () => {
  const depths: number[] = [];
  const queue = new WorkQueue({ onDepth: (depth) => depths.push(depth) });
  queue.add('a');
  queue.add('b');
  await queue.take();
  assert.deepEqual(depths, [1, 2, 1]);
});

/** The model: a key is dirty or not, processed or not; it may be taken when it is dirty and not processed. */
test('any order of calls agrees with the model: nothing is lost, nothing is handed out twice at a time', async () => {
  const call = fc.record({ verb: fc.constantFrom('add', 'take', 'done'), key: fc.constantFrom('a', 'b', 'c') });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 60 }), async (calls) => {
      const queue = new WorkQueue();
      const dirty = new Set<string>();
      const processing = new Set<string>();
      const takeable = (): string[] => [...dirty].filter((key) => !processing.has(key));
      for (const { verb, key } of calls) {
        if (verb === 'add') {
          queue.add(key);
          dirty.add(key);
        } else if (verb === 'done' && processing.has(key)) {
          queue.done(key);
          processing.delete(key);
        } else if (verb === 'take' && takeable().length > 0) {
          const next = await queue.take();
          assert.ok(next !== undefined && takeable().includes(next), `${next} was not to be taken`);
          dirty.delete(next);
          processing.add(next);
        }
        assert.equal(queue.depth, takeable().length);
      }
    }),
  );
});
