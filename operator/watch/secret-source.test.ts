import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import type { WatchEvent } from '../cluster/watch-events.ts';
import { createLimiter } from '../limiter.ts';
import { secretSource } from './source.ts';

const NAME = { namespace: 'n', name: 's' };
const signal = new AbortController().signal;

async function* none(): AsyncGenerator<WatchEvent, void, undefined> {}

/** A cluster whose Secret disappears between the first get and the watch. */
function vanishing(): { cluster: Cluster; asked: string[] } {
  const asked: string[] = [];
  let secret: KubeObject | undefined = { metadata: { ...NAME, resourceVersion: '4' } };
  const cluster = {
    get: async () => {
      asked.push('get');
      return secret;
    },
    getMetadata: async () => {
      asked.push('get again');
      return secret;
    },
    watch: async (_kind: unknown, selection: { fieldSelector?: string }, from: { version: string }) => {
      asked.push(`watch ${selection.fieldSelector} from "${from.version}"`);
      secret = undefined;
      return none();
    },
  };
  return { cluster: cluster as unknown as Cluster, asked };
}

async function read(events: AsyncIterable<WatchEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of events) seen.push(`${event.type} ${event.object.metadata.name}`);
  return seen;
}

test('secretSource() never lists, and finds a deletion between the get and the watch', async () => {
  const { cluster, asked } = vanishing();
  const source = secretSource(cluster, NAME, (object) => object.metadata.name, createLimiter(1));
  assert.deepEqual(await source.list(signal), { items: ['s'], version: '' });
  assert.deepEqual(await read(await source.watch({ version: '', timeoutSeconds: 240 }, signal)), ['DELETED s']);
  assert.deepEqual(asked, ['get', 'watch metadata.name=s from ""', 'get again']);
});

test('secretSource() goes on from a version without asking again', async () => {
  const { cluster, asked } = vanishing();
  const source = secretSource(cluster, NAME, (object) => object.metadata.name, createLimiter(1));
  assert.deepEqual(await read(await source.watch({ version: '7', timeoutSeconds: 240 }, signal)), []);
  assert.deepEqual(asked, ['watch metadata.name=s from "7"']);
});

test('secretSource() begins no more Secrets at a time than the limit, opening their watches included', async () => {
  let open = 0;
  let most = 0;
  const slow = async <T>(answer: T): Promise<T> => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return answer;
  };
  const cluster = {
    get: () => slow(undefined),
    getMetadata: () => slow({ metadata: NAME }),
    watch: () => slow(none()),
  } as unknown as Cluster;
  const limit = createLimiter(3);
  const begin = async (index: number): Promise<void> => {
    const source = secretSource(cluster, { namespace: 'n', name: `s${index}` }, (object) => object, limit);
    await source.list(signal);
    await source.watch({ version: '', timeoutSeconds: 240 }, signal);
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => begin(index)));
  assert.equal(most, 3);
});
