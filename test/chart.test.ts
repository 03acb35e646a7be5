/** Holds the chart: golden renders by both Helms, clean lint, the definitions as in crds/, names and settings as the code has them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  INJECT_ANNOTATION,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  PROXY_LABEL,
  REVISION_ANNOTATION,
  SIDECAR_CONTAINER,
} from '../contract/names.ts';
import { COMPONENT_LABEL } from '../operator/gateway/objects.ts';
import { MOUNTABLE_KINDS, OWN_VOLUMES, VOLUMES_VARIABLE } from '../operator/inject/mounts.ts';
import { METRICS_PORT_NAME } from '../operator/watch/pod-facts.ts';
import { CHART, findHelm, type KubeObject, parseObjects, render, template } from './support/chart/helm.ts';
import { run } from './support/cluster/kubectl.ts';

const ROOT = join(import.meta.dirname, '..');
const GOLDEN = join(ROOT, 'test/golden/chart');
const helm = findHelm('helm') ?? '';
const helm3 = findHelm('helm3') ?? '';
const missing = (program: string) => (program === '' ? 'helm is not here: npm run cluster -- up builds it' : false);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

for (const input of globSync('*.in.yaml', { cwd: GOLDEN }).sort()) {
  const name = basename(input, '.in.yaml');
  const output = join(GOLDEN, `${name}.out.yaml`);

  test(`chart renders ${name} as in its golden file`, { skip: missing(helm) }, async () => {
    const result = await template(helm, ['--values', join(GOLDEN, input)]);
    assert.equal(result.code, 0, result.stderr);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(output, result.stdout);
    assert.equal(result.stdout, readFileSync(output, 'utf8'));
  });

  test(`chart renders ${name} with Helm 3 to the same objects`, { skip: missing(helm3) }, async () => {
    const objects = await render(helm3, ['--values', join(GOLDEN, input)]);
    assert.deepEqual(objects, parseObjects(readFileSync(output, 'utf8')));
  });
}

for (const program of [helm, helm3]) {
  test(`chart has no lint of ${basename(program)}`, { skip: missing(program) }, async () => {
    const result = await run([program, 'lint', '--strict', CHART]);
    assert.equal(result.code, 0, result.stdout);
    assert.doesNotMatch(result.stdout, /\[(WARNING|ERROR)\]/);
  });
}

test('chart renders the definitions as they are in crds/, kept on uninstall unless told otherwise', {
  skip: missing(helm),
}, async () => {
  for (const keep of [true, false]) {
    const definitions = (await render(helm, ['--set', `crds.keep=${keep}`])).filter(isDefinition);
    assert.equal(definitions.length, 2);
    for (const { metadata, spec } of definitions) {
      const source = parse(read(`crds/${metadata.name}.yaml`)) as KubeObject;
      assert.deepEqual(spec, source['spec']);
      assert.equal(metadata.annotations?.['helm.sh/resource-policy'], keep ? 'keep' : undefined);
    }
  }
  assert.deepEqual((await render(helm, ['--set', 'crds.enabled=false'])).filter(isDefinition), []);
});

test('chart refuses a misspelt value and a Kubernetes without the policy', { skip: missing(helm) }, async () => {
  const misspelt = await template(helm, ['--set', 'operator.replica=2']);
  assert.match(misspelt.stderr, /additional properties 'replica' not allowed/);
  const old = await template(helm, ['--kube-version', '1.35.9']);
  assert.match(old.stderr, /requires kubeVersion: >=1\.36\.0-0/);
});

test('chart describes every value in its schema and in prose', () => {
  const undescribed: string[] = [];
  const walk = (values: Readonly<Record<string, unknown>>, schema: Schema, path: string): void => {
    assert.equal(schema.additionalProperties, false, `${path} takes any key`);
    for (const [key, value] of Object.entries(values)) {
      const inner = schema.properties?.[key];
      if (inner === undefined) undescribed.push(`${path}${key} in the schema`);
      else if (inner.properties && isRecord(value)) walk(value, inner, `${path}${key}.`);
      else if (inner.description === undefined) undescribed.push(`${path}${key} in the schema`);
    }
  };
  walk(parse(read('charts/sluice/values.yaml')), JSON.parse(read('charts/sluice/values.schema.json')), '');
  const lines = read('charts/sluice/values.yaml').split('\n');
  lines.forEach((line, index) => {
    // What is below resources is described at its head; a map that only holds others needs no words of its own.
    const isHead = line.endsWith(':');
    const inResources = /^ +(requests|limits|cpu|memory|kubernetes\.io\/os|grafana_dashboard):/.test(line);
    if (/^ *[a-zA-Z]+:/.test(line) && !isHead && !inResources && !lines[index - 1]?.trimStart().startsWith('#'))
      undescribed.push(line);
  });
  assert.deepEqual(undescribed, []);
});

test('chart has the version of package.json and the names of contract/names.ts', () => {
  const chart = parse(read('charts/sluice/Chart.yaml')) as { appVersion: string };
  assert.equal(chart.appVersion, (JSON.parse(read('package.json')) as { version: string }).version);
  const has = (file: string, ...words: string[]) => {
    for (const word of words)
      assert.ok(read(`charts/sluice/templates/${file}`).includes(word), `${file} lacks "${word}"`);
  };
  has('policy-inject.yaml', `'${INJECT_ANNOTATION}'`, `'${PROXY_LABEL}'`, `c.name == '${SIDECAR_CONTAINER}'`);
  has('policy-verify-injection.yaml', `'${INJECT_ANNOTATION}'`, `c.name == '${SIDECAR_CONTAINER}'`);
  has('policy-pod-shape.yaml', `'${INJECT_ANNOTATION}'`);
  has('policy-sidecar-volumes.yaml', `'${INJECT_ANNOTATION}'`, `c.name == '${SIDECAR_CONTAINER}'`);
  has(
    'policy-sidecar-volumes.yaml',
    `e.name == '${VOLUMES_VARIABLE}'`,
    ...MOUNTABLE_KINDS.map((kind) => `!has(v.${kind})`),
  );
  const own = `[${OWN_VOLUMES.map((name) => `'${name}'`).join(', ')}]`;
  assert.equal(
    read('crds/streamproxies.sluice.dev.yaml').split(`!(self in ${own})`).length,
    3,
    `the CRD refuses ${own}`,
  );
  has('policy-operator-pods.yaml', `'${REVISION_ANNOTATION}'`);
  has('policy-operator-secrets.yaml', `'${MANAGED_BY_LABEL}'`, `== '${MANAGED_BY}'`, "startsWith('sluice-')");
  has('policy-operator-gateways.yaml', `'${MANAGED_BY_LABEL}'`, `'${COMPONENT_LABEL}'`, `'${PROXY_LABEL}'`);
  has('podmonitor-sidecars.yaml', `key: ${PROXY_LABEL}`, `port: ${METRICS_PORT_NAME}`);
});

test('chart gives the operator the environment that it reads, and nothing that it does not', () => {
  const given = [
    ...read('charts/sluice/templates/operator-deployment.yaml').matchAll(/- name: ((?:SLUICE|POD)_[A-Z_]+)/g),
  ];
  const settings = read('operator/settings.ts');
  assert.ok(given.length > 5);
  for (const [, name] of given) assert.ok(settings.includes(`'${name}'`), `operator/settings.ts does not read ${name}`);
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly description?: string;
}

function isDefinition({ kind }: KubeObject): boolean {
  return kind === 'CustomResourceDefinition';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
