import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { ApiError } from '../cluster/api-error.ts';
import type { WatchEvent } from '../cluster/watch-events.ts';
import { type ReflectorOptions, type Source, startReflector } from './reflector.ts';

type Step = WatchEvent | { readonly fail: Error } | { readonly hang: true };

/** A source that says what its script says, and notes what it was asked. */
class ScriptedSource implements Source<string> {
  readonly asked: string[] = [];
  readonly lists: ({ items: string[]; version: string } | Error)[];
  readonly watches: Step[][];

  constructor(lists: ({ items: string[]; version: string } | Error)[], watches: Step[][]) {
    this.lists = lists;
    this.watches = watches;
  }

  project = (object: WatchEvent['object']): string => object.metadata.name;

  async list(): Promise<{ items: string[]; version: string }> {
    this.asked.push('list');
    const next = this.lists.shift() ?? new Error('the script of lists is over');
    if (next instanceof Error) throw next;
    return next;
  }

  async watch({ version }: { version: string }, signal: AbortSignal): Promise<AsyncIterable<WatchEvent>> {
    this.asked.push(`watch ${version}`);
    return this.#play(this.watches.shift() ?? [{ hang: true }], signal);
  }

  async *#play(steps: Step[], signal: AbortSignal): AsyncGenerator<WatchEvent, void, undefined> {
    for (const step of steps) {
      if ('fail' in step) throw step.fail;
      if ('hang' in step) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      } else yield step;
    }
  }
}

class NotingStore extends EventEmitter {
  readonly calls: string[] = [];
  replace(items: readonly string[]): void {
    this.#note(`replace ${items.join()}`);
  }
  put(item: string): void {
    this.#note(`put ${item}`);
  }
  remove(item: string): void {
    this.#note(`remove ${item}`);
  }
  async until(call: string): Promise<void> {
    while (!this.calls.includes(call)) await once(this, 'call');
  }
  #note(call: string): void {
    this.calls.push(call);
    this.emit('call');
  }
}

function event(type: WatchEvent['type'], name: string, resourceVersion: string): WatchEvent {
  return { type, object: { metadata: { name, resourceVersion } } };
}

function start(source: ScriptedSource, options: Partial<ReflectorOptions<string>> = {}) {
  const store = new NotingStore();
  const failures: string[] = [];
  const reflector = startReflector({
    source,
    store,
    onFailure: (error) => failures.push((error as Error).message),
    backoff: { firstMs: 1, mostMs: 2 },
    ...options,
  });
  return { store, failures, reflector };
}

const HANG: Step = { hang: true };

test('lists once, then follows the changes', async () => {
  const changes = [event('ADDED', 'b', '2'), event('MODIFIED', 'a', '3'), event('DELETED', 'b', '4'), HANG];
  const source = new ScriptedSource([{ items: ['a'], version: '1' }], [changes]);
  const { store, reflector } = start(source);
  await store.until('remove b');
  assert.deepEqual(store.calls, ['replace a', 'put b', 'put a', 'remove b']);
  assert.equal(reflector.health().synced, true);
  await reflector.stop();
});

test('goes on from the last version after an ordinary error, bookmarks included, without listing again', async () => {
  const source = new ScriptedSource(
    [{ items: [], version: '1' }],
    [
      [event('BOOKMARK', '', '7'), { fail: new Error('ECONNRESET') }],
      [{ fail: new ApiError(500, '', 'Cannot watch') }],
      [event('ADDED', 'x', '8'), HANG],
    ],
  );
  const { store, failures, reflector } = start(source);
  await store.until('put x');
  assert.deepEqual(source.asked, ['list', 'watch 1', 'watch 7', 'watch 7']);
  assert.deepEqual(failures, ['ECONNRESET', 'Cannot watch']);
  assert.equal(reflector.health().problem, undefined, 'an event ends the problem');
  await reflector.stop();
});

test('lists anew after 410, as an answer and as an event', async () => {
  const gone = { fail: new ApiError(410, 'Expired', 'too old') };
  const source = new ScriptedSource(
    [
      { items: ['a'], version: '1' },
      { items: ['b'], version: '9' },
    ],
    [[gone], [event('ADDED', 'c', '10'), HANG]],
  );
  const { store, reflector } = start(source);
  await store.until('put c');
  assert.deepEqual(source.asked, ['list', 'watch 1', 'list', 'watch 9']);
  assert.deepEqual(store.calls, ['replace a', 'replace b', 'put c']);
  await reflector.stop();
});

test('is not synced, and says why, while the list fails; and never gives up', async () => {
  const source = new ScriptedSource(
    [...Array.from({ length: 20 }, () => new ApiError(403, 'Forbidden', 'no right')), { items: ['a'], version: '1' }],
    [[HANG]],
  );
  const seen: (string | undefined)[] = [];
  const { store, reflector } = start(source, { onHealth: () => seen.push(reflector.health().problem) });
  await store.until('replace a');
  assert.equal(source.asked.filter((each) => each === 'list').length, 21);
  assert.deepEqual(seen.slice(0, 1), ['no right']);
  assert.equal(reflector.health().problem, undefined);
  await reflector.stop();
});

test('a silent watch is cut and taken up again', async () => {
  const source = new ScriptedSource([{ items: [], version: '1' }], [[HANG], [event('ADDED', 'x', '2'), HANG]]);
  const { store, failures, reflector } = start(source, { silenceMs: 20 });
  await store.until('put x');
  assert.match(failures[0] ?? '', /Nothing was heard for 20 ms/);
  await reflector.stop();
});

test('a server that closes each watch at once is asked with pauses', async () => {
  const source = new ScriptedSource([{ items: [], version: '1' }], [[], [], [event('ADDED', 'x', '2'), HANG]]);
  const { store, failures, reflector } = start(source);
  await store.until('put x');
  assert.deepEqual(failures, ['The server closed the watch at once', 'The server closed the watch at once']);
  await reflector.stop();
});

test('stop() really stops: during a list nothing is stored and no watch is opened', async () => {
  const listing = Promise.withResolvers<{ items: string[]; version: string }>();
  const source = new ScriptedSource([], []);
  source.list = () => {
    source.asked.push('list');
    return listing.promise;
  };
  const { store, reflector } = start(source);
  const stopped = reflector.stop();
  listing.resolve({ items: ['a'], version: '1' });
  await stopped;
  assert.deepEqual(source.asked, ['list']);
  assert.deepEqual(store.calls, []);
});

test('stop() ends a watch that hangs', async () => {
  const source = new ScriptedSource([{ items: ['a'], version: '1' }], [[HANG]]);
  const { store, failures, reflector } = start(source);
  await store.until('replace a');
  await reflector.stop();
  assert.deepEqual(failures, []);
});

test('a watch that was opened in vain is let go: nothing would ever read or end it', async () => {
  const source = new ScriptedSource([{ items: [], version: '1' }], [[HANG]]);
  const opened: AbortSignal[] = [];
  source.watch = async (_from, signal) => {
    opened.push(signal);
    if (opened.length === 1) throw new Error('what had to follow the opening failed');
    return new ScriptedSource([], []).watch({ version: '' }, signal);
  };
  const { reflector } = start(source);
  while (opened.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    opened.map(({ aborted }) => aborted),
    [true, false],
  );
  await reflector.stop();
});
