/** Promise: a real Prometheus discovers the sidecars, counts exactly the exchanges made, and every dashboard query has data. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';
import { deployment, list } from '../support/cluster/objects.ts';
import { type Prometheus, startPrometheus } from '../support/cluster/prometheus.ts';
import { type Scene, scene, streamProxy } from '../support/cluster/scene.ts';
import { stream } from '../support/cluster/streams.ts';
import { until } from '../support/cluster/wait.ts';

const ANTHROPIC = 4;
const OPENAI = 3;
const DASHBOARD = join(import.meta.dirname, '../../charts/sluice/dashboards/streams.json');

let ready: Installed;
let stage: Scene;
let pod: string;
let prometheus: Prometheus;

before(async () => {
  ready = await installed();
  stage = await scene(ready, 'metrics');
  await stage.apply(list(streamProxy('llm', stage.upstreamUrl)));
  await stage.condition('llm', 'Programmed', 'True');
  await stage.apply(
    list(deployment({ name: 'agent', image: ready.testImage, inject: 'llm', args: ['client', 'idle'] })),
  );
  pod = await stage.podOf('agent');
  prometheus = await startPrometheus(ready, stage.namespace);
});

after(async () => {
  await prometheus?.end();
  await stage?.end();
});

test('Prometheus discovers the sidecar through the API and counts exactly the exchanges that were made', async () => {
  await until('the sidecar to be a healthy target', async () => {
    const targets = await prometheus.healthyTargets();
    return targets.length === 1 && targets[0]?.endsWith(':9019/metrics') ? true : undefined;
  });
  await stream(stage, pod, ['--sdk', 'anthropic', '--count', String(ANTHROPIC)]);
  await stream(stage, pod, ['--sdk', 'openai', '--count', String(OPENAI)]);

  const query = `sum by (route) (sluice_exchanges_total{namespace="${stage.namespace}", pod="${pod}", end="complete"})`;
  const counts = await until('both routes to be counted in full', async () => {
    const found = Object.fromEntries(
      (await prometheus.query(query)).map((sample) => [sample.metric['route'], Number(sample.value[1])]),
    );
    return (found['messages'] ?? 0) >= ANTHROPIC && (found['chat'] ?? 0) >= OPENAI ? found : undefined;
  });
  assert.deepEqual(counts, { messages: ANTHROPIC, chat: OPENAI });

  const [durations] = await prometheus.query(
    `sum(sluice_stream_duration_seconds_count{namespace="${stage.namespace}"})`,
  );
  assert.equal(Number(durations?.value[1]), ANTHROPIC + OPENAI);
  const [median] = await prometheus.query(
    `histogram_quantile(0.5, sum by (le) (sluice_stream_duration_seconds_bucket{namespace="${stage.namespace}"}))`,
  );
  assert.ok(Number(median?.value[1]) > 0.3, `24 words at 30 ms take longer than ${median?.value[1]} s`);
});

test('every query of the Streams dashboard gives data under traffic', async () => {
  const dashboard = JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard;
  const queries = dashboard.panels
    .flatMap(flatten)
    .flatMap((panel) => (panel.targets ?? []).map((target) => ({ title: panel.title, expr: target.expr })));
  assert.ok(queries.length >= 10, `only ${queries.length} queries were found`);
  const traffic = stream(stage, pod, ['--count', '12']);
  const open = new Map(queries.map((query) => [`${query.title}: ${query.expr}`, fill(query.expr)]));
  await until(
    `data for ${[...open.keys()].join(' and ')}`,
    async () => {
      for (const [name, expression] of open) if ((await prometheus.query(expression)).length > 0) open.delete(name);
      return open.size === 0 ? true : undefined;
    },
    { timeoutMs: 60_000, everyMs: 1_000 },
  ).catch((error: unknown) => assert.fail(`no data for ${[...open.keys()].join(' and ')}: ${String(error)}`));
  await traffic;
});

interface Panel {
  title: string;
  targets?: { expr: string }[];
  panels?: Panel[];
}

interface Dashboard {
  panels: Panel[];
}

function flatten(panel: Panel): Panel[] {
  return [panel, ...(panel.panels ?? []).flatMap(flatten)];
}

/** Fills Grafana's variables as "All" does. */
function fill(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$__interval', '30s')
    .replaceAll('$__range', '60s')
    .replaceAll(/\$\{?[a-z_]+(:[a-z]+)?\}?/g, '.*');
}
