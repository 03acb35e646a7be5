import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createMetrics, type Metrics } from './metrics.ts';

const STORE = { streamproxy_namespace: 'n', streamproxy: 'llm', target: 'store' };

/** A registry in which everything happened once. */
function used(): Metrics {
  const metrics = createMetrics();
  metrics.reconciled('delivered', 0.1);
  metrics.queueDepth(1);
  metrics.watchFailed('Pod');
  metrics.undelivered(STORE, 5);
  metrics.read({ staleness: () => 1, pods: () => 1, resources: () => 1, isLeading: () => true });
  return metrics;
}

const ownLines = async (metrics: Metrics): Promise<string[]> =>
  (await metrics.expose()).split('\n').filter((line) => /^(# TYPE )?sluice_/.test(line));

test('undelivered records: a series is there at 0, grows, and goes', async () => {
  const metrics = createMetrics();
  const series = async (): Promise<string[]> =>
    (await ownLines(metrics)).filter((line) => line.startsWith('sluice_operator_undelivered_records_total'));
  const name = 'sluice_operator_undelivered_records_total{streamproxy_namespace="n",streamproxy="llm",target="store"}';
  metrics.undelivered(STORE, 0);
  assert.deepEqual(await series(), [`${name} 0`]);
  metrics.undelivered(STORE, 5);
  metrics.undelivered(STORE, 2);
  assert.deepEqual(await series(), [`${name} 7`]);
  metrics.forgetUndelivered(STORE);
  assert.deepEqual(await series(), []);
});

test('docs/operator-metrics.md says the same names, types and labels, and has an example of each', async () => {
  const page = readFileSync(new URL('../docs/operator-metrics.md', import.meta.url), 'utf8');
  const lines = await ownLines(used());
  const actual = lines.flatMap((line) => {
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name === '') return [];
    const sample = lines.find((each) => new RegExp(`^${name}(_count)?[{ ]`).test(each)) ?? '';
    const labels = [...sample.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    return [`${name} ${type} ${labels.sort().join()}`];
  });
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \|([^|]*)\|/gm)];
  const documented = rows.map(([, name, type, cell = '']) => {
    const labels = [...cell.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
    return `${name} ${type} ${labels.sort().join()}`;
  });
  assert.deepEqual(documented.sort(), actual.sort());
  const queries = [...page.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, query = '']) => query).join('\n');
  for (const [, name = ''] of rows) assert.ok(queries.includes(name), `no example for ${name}`);
});
