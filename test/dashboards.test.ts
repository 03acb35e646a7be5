/** Holds the dashboards to the metrics that the proxy declares, and each panel to a unit, a description and thresholds. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { createMetrics } from '../proxy/observe/metrics.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly thresholds?: { readonly steps: readonly unknown[] } };
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const ROOT = join(import.meta.dirname, '..');
const files = globSync('charts/sluice/dashboards/*.json', { cwd: ROOT });
/** Scrape relabelling gives namespace and pod; le is every histogram's own. */
const GIVEN_LABELS = ['namespace', 'pod', 'le'];

async function declaredMetrics(): Promise<Set<string>> {
  const text = await createMetrics().render();
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

/** Every quoted word of the files that declare metrics: labels are among them. */
function declaredWords(): Set<string> {
  const sources = globSync('proxy/observe/*.ts', { cwd: ROOT, exclude: ['**/*.test.ts'] }).map((file) =>
    readFileSync(join(ROOT, file), 'utf8'),
  );
  return new Set([...sources.join('\n').matchAll(/'([a-z_]+)'/g)].map(([, word = '']) => word));
}

test('dashboards are there', () => assert.ok(files.length > 0));

for (const file of files) {
  const dashboard = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Dashboard;
  const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
  const queries = [
    ...panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr)),
    ...dashboard.templating.list.flatMap(({ definition }) => definition ?? []),
  ];
  const name = basename(file, '.json');

  test(`dashboard ${name} asks for metrics and labels that the proxy declares`, async () => {
    const metrics = await declaredMetrics();
    const words = declaredWords();
    assert.ok(queries.length > 20);
    for (const query of queries) {
      const names = query.match(/\b(?:sluice|process|nodejs)_[a-z_]+/g) ?? [];
      assert.ok(names.length > 0, `No metric in "${query}"`);
      for (const metric of names)
        assert.ok(metrics.has(metric), `The proxy declares no "${metric}", which "${query}" asks for`);
      const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(',').map((label) => label.trim()),
      );
      const matched = [...query.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label);
      for (const label of [...grouped, ...matched]) {
        assert.ok(
          GIVEN_LABELS.includes(label) || words.has(label),
          `No metric has the label "${label}", which "${query}" uses`,
        );
      }
    }
  });

  test(`dashboard ${name} gives each panel a unit, a description, thresholds and named series`, () => {
    for (const panel of panels) {
      assert.ok((panel.description ?? '').length > 20, `Panel "${panel.title}" has no description`);
      assert.ok(panel.fieldConfig?.defaults.unit, `Panel "${panel.title}" has no unit`);
      assert.ok(
        (panel.fieldConfig?.defaults.thresholds?.steps.length ?? 0) > 0,
        `Panel "${panel.title}" has no thresholds`,
      );
      assert.ok(panel.targets?.length, `Panel "${panel.title}" asks for nothing`);
      for (const { legendFormat } of panel.targets ?? [])
        assert.notEqual(legendFormat, '', `A series of "${panel.title}" has no name`);
    }
  });

  test(`dashboard ${name} uses every variable that it offers, and no other`, () => {
    const offered = new Set(dashboard.templating.list.map((variable) => variable.name));
    const text = JSON.stringify(dashboard);
    const used = new Set([...text.matchAll(/\$\{?([a-z]+)\b/g)].map(([, variable = '']) => variable));
    assert.deepEqual([...offered].sort(), [...used].sort());
  });

  test(`dashboard ${name} has panels of their own ids that do not overlap`, () => {
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, `Panel "${title}" is wider than the page`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!cells.has(`${x},${y}`), `Panel "${title}" lies on another`);
          cells.add(`${x},${y}`);
        }
      }
    }
  });
}
