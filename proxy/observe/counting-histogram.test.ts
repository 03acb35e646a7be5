import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { CountingHistogram } from './counting-histogram.ts';

const SHAPE = { name: 'gap_seconds', help: 'Seconds "between"\nevents.', buckets: [0.001, 0.02, 0.5, 30] };
const LABELS = ['route', 'upstream'] as const;
const OBSERVED: readonly (readonly [route: string, value: number])[] = [
  ['a', 0],
  ['a', 0.001],
  ['a', 0.0011],
  ['b "quoted"\\\n', 0.02],
  ['a', 30],
  ['a', 31],
  ['b "quoted"\\\n', 1e9],
  ['a', 0.25],
];

test('shows what the library shows of the same observations, byte for byte', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const counting = new CountingHistogram({ ...SHAPE, labelNames: LABELS, registry: ours });
  const library = new Histogram({ ...SHAPE, labelNames: [...LABELS], registers: [theirs] });
  for (const [route, value] of OBSERVED) {
    counting.labels({ route, upstream: 'u' }).observe(value);
    library.labels({ route, upstream: 'u' }).observe(value);
  }
  const shown = await ours.metrics();
  assert.equal(shown, await theirs.metrics());
  assert.match(shown, /gap_seconds_count\{route="a",upstream="u"\} 6/);
});

test('shows a head and no series before the first observation', async () => {
  const registry = new Registry();
  new CountingHistogram({ ...SHAPE, labelNames: LABELS, registry });
  assert.equal(
    await registry.metrics(),
    '# HELP gap_seconds Seconds "between"\\nevents.\n# TYPE gap_seconds histogram\n',
  );
});
