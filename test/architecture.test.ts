/** Holds the tree to its shape: who may import whom, how long files are, which names lie at which door. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const GENERATED = new Set(['contract/resources.ts']);
const MOST_LINES = 300;
const MOST_TEST_LINES = 500;

interface Source {
  readonly path: string;
  readonly text: string;
  /** Own files as paths from the root, packages as they are named. */
  readonly imports: readonly string[];
  /** Those that exist at run time: type-only ones left out. */
  readonly loads: readonly string[];
}

const sources: Source[] = globSync('{contract,proxy,operator,scripts,test}/**/*.ts', { cwd: ROOT })
  .filter((path) => !path.includes('node_modules'))
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const typeless = text.replaceAll(/^(?:import|export) type\b[^;]*;/gm, '');
    return { path, text, imports: importsOf(path, text), loads: importsOf(path, typeless) };
  });
const shipped = sources.filter(({ path }) => /^(contract|proxy|operator)\//.test(path) && !path.endsWith('.test.ts'));

function importsOf(path: string, text: string): string[] {
  const specifiers = [
    ...text.matchAll(/^(?:import|export)\b[^;'"]*?from\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm),
  ];
  return specifiers.map(([, fixed, lazy]) => resolveSpecifier(path, fixed ?? lazy ?? ''));
}

function resolveSpecifier(path: string, specifier: string): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier));
  return specifier.startsWith('#contract/') ? specifier.slice(1) : specifier;
}

/** [who, what it imports] for every import that `allowed` refuses. */
function offences(allowed: (source: Source, imported: string) => boolean): string[] {
  return shipped.flatMap((source) =>
    source.imports.filter((imported) => !allowed(source, imported)).map((imported) => `${source.path} -> ${imported}`),
  );
}

test('architecture: the reader finds the imports that it judges', () => {
  assert.ok(shipped.length > 20);
  assert.ok(shipped.some((source) => source.imports.some((imported) => imported.startsWith('contract/'))));
});

test('architecture: contract imports nothing of ours, proxy and operator never import each other', () => {
  const allowed = {
    contract: /^contract\//,
    proxy: /^(contract|proxy)\//,
    operator: /^(contract|operator)\//,
  } as const;
  const ours = /^(contract|proxy|operator|scripts|test)\//;
  const bad = offences(({ path }, imported) => {
    const own = path.split('/')[0] as keyof typeof allowed;
    return !ours.test(imported) || allowed[own].test(imported);
  });
  assert.deepEqual(bad, []);
});

test('architecture: contract is reached from outside by its alias', () => {
  const bad = shipped
    .filter(({ path, text }) => !path.startsWith('contract/') && /from '(\.\.\/)+contract\//.test(text))
    .map(({ path }) => path);
  assert.deepEqual(bad, []);
});

test('architecture: each library is imported at its one door', () => {
  const doors: [RegExp, RegExp][] = [
    [/^@kubernetes\/client-node/, /^operator\/cluster(\.ts|\/)/],
    [
      /^undici(\/|$)/,
      /^(proxy\/(upstream\/pool|dispatch\/attempt|log\/targets\/http)|operator\/cluster(\/[a-z-]+)?)\.ts$/,
    ],
    [/^pg(-copy-streams)?$/, /^proxy\/log\/targets\/postgres-connection\.ts$/],
    [/^@platformatic\/kafka$/, /^proxy\/log\/targets\/kafka-sink\.ts$/],
    [/^aws4fetch$/, /^proxy\/log\/targets\/s3-sink\.ts$/],
    [/^prom-client$/, /^(proxy\/observe\/(((limit|log|tool)-)?metrics|counting-histogram)|operator\/metrics)\.ts$/],
    [/^(yaml|@marcbachmann\/cel-js)/, /^proxy\/config\//],
    [/^ajv/, /^proxy\/(config\/|tools\/arguments\.ts)/],
    [/^re2js$/, /^(proxy\/(log\/redact|tools)\/|contract\/validate\/redaction\.ts$)/],
    [/^eventsource-parser/, /^proxy\/translate\/sse\.ts$/],
    [/^@modelcontextprotocol\/client$/, /^proxy\/tools\/mcp-connection\.ts$/],
  ];
  const bad = offences((source, imported) =>
    doors.every(([library, door]) => !library.test(imported) || door.test(source.path)),
  );
  assert.deepEqual(bad, []);
});

test('architecture: only main.ts ends the process and only settings.ts reads the environment', () => {
  const bad = shipped.flatMap(({ path, text }) => [
    ...(/\bprocess\.exit(Code)?\b/.test(text) && !path.endsWith('/main.ts') ? [`${path}: process.exit`] : []),
    ...(/\bprocess\.env\b/.test(text) && !/\/(settings|main)\.ts$/.test(path) ? [`${path}: process.env`] : []),
  ]);
  assert.deepEqual(bad, []);
});

test('architecture: files are short', () => {
  const bad = sources
    .filter(({ path }) => !GENERATED.has(path))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ path, lines }) => lines > (path.endsWith('.test.ts') ? MOST_TEST_LINES : MOST_LINES));
  assert.deepEqual(bad, []);
});

test('architecture: each file says its one job in its first lines', () => {
  const bad = sources
    .filter(({ path, text }) => !path.endsWith('.test.ts') && !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(bad, []);
});

test('architecture: no import cycle among shipped files', () => {
  const graph = new Map(shipped.map((source) => [source.path, source.loads]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (done.has(path) || way.includes(path)) return;
    for (const next of graph.get(path) ?? []) if (graph.has(next)) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});
