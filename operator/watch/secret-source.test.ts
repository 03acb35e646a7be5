import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { KubeObject } from '../cluster/kinds.ts';
import type { WatchEvent } from '../cluster/watch-events.ts';
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
  const source = secretSource(cluster, NAME, (object) => object.metadata.name);
  assert.deepEqual(await source.list(signal), { items: ['s'], version: '' });
  assert.deepEqual(await read(await source.watch({ version: '', timeoutSeconds: 240 }, signal)), ['DELETED s']);
  assert.deepEqual(asked, ['get', 'watch metadata.name=s from ""', 'get again']);
});

test('secretSource() goes on from a version without asking again', async () => {
  const { cluster, asked } = vanishing();
  const source = secretSource(cluster, NAME, (object) => object.metadata.name);
  assert.deepEqual(await read(await source.watch({ version: '7', timeoutSeconds: 240 }, signal)), []);
  assert.deepEqual(asked, ['watch metadata.name=s from "7"']);
});
