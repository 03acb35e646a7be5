import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compile } from './compile/compile.ts';
import { parseCompiled, parseCompiledText } from './parse-compiled.ts';
import type { StreamProxy } from './resources.ts';

const RESOURCE: StreamProxy = {
  metadata: { name: 'llm', namespace: 'agents', generation: 3 },
  spec: {
    upstreams: [
      {
        name: 'claude',
        dialect: 'anthropic',
        url: 'https://api.anthropic.com',
        credentials: [{ client: {} }, { secret: { name: 'anthropic', key: 'api-key' } }],
        tls: { ca: { secret: { name: 'anthropic', key: 'ca.crt' } } },
        proxy: { url: 'http://egress:3128' },
      },
      { name: 'ollama', dialect: 'openai', url: 'http://ollama.default.svc:11434/v1' },
      { name: 'lost', dialect: 'openai', url: 'http://x', credentials: [{ secret: { name: 'absent', key: 'k' } }] },
    ],
    routes: [
      {
        name: 'opus',
        match: {
          paths: ['/v1/messages*'],
          models: ['claude-*'],
          agents: ['a'],
          headers: [{ name: 'X-Team', values: ['core'] }],
        },
        upstreams: [{ name: 'claude', weight: 90 }],
        sticky: { header: 'X-Session-Id' },
        retry: { attemptsPerUpstream: 3, within: '60s' },
      },
      { name: 'broken', match: { paths: ['/v1/chat/completions'] }, upstreams: [{ name: 'claude' }] },
      { name: 'rest', upstreams: [{ name: 'ollama', model: 'llama3.3' }], fallback: [{ name: 'lost' }] },
    ],
    logging: {
      capture: { partials: true, redact: [{ header: 'X-A' }, { jsonPath: '$.a[0].b[*]' }, { pattern: '[0-9]{16}' }] },
      targets: [
        { name: 'out', stdout: {} },
        { name: 'file', file: { path: 'r.ndjson' } },
        { name: 'pg', http: { url: 'http://x' } },
      ],
    },
  },
};
const FACTS = new Map([['anthropic', { exists: true as const, version: '1', keys: new Set(['api-key', 'ca.crt']) }]]);

const compiled = (): Record<string, unknown> =>
  JSON.parse(JSON.stringify(compile(RESOURCE, FACTS).config)) as Record<string, unknown>;

function problemsOf(value: unknown): string[] {
  const parsed = parseCompiled(value);
  return parsed.ok ? [] : parsed.problems.map((p) => `${p.path}: ${p.message}`);
}

test('parseCompiled() gives back exactly what compile() made', () => {
  const { config } = compile(RESOURCE, FACTS);
  const parsed = parseCompiledText(JSON.stringify(config));
  assert.deepEqual(parsed, { ok: true, config });
});

test('parseCompiled() names every problem with its path', () => {
  const value = compiled();
  const upstreams = value['upstreams'] as Record<string, unknown>[];
  Object.assign(upstreams[0] ?? {}, { origin: 'https://api.anthropic.com/path', caFile: '../../etc/passwd' });
  Object.assign(value, {
    generation: -1,
    logging: { maxBodyBytes: '1Mi', redact: [{ kind: 'x' }], spoolBytes: 1, spoolMaxAgeMs: 1 },
  });
  const problems = problemsOf(value).map((line) => line.split(':')[0]);
  assert.deepEqual(problems, [
    'generation',
    'upstreams[0].origin',
    'upstreams[0].caFile',
    'logging.maxBodyBytes',
    'logging.redact[0].kind',
    'logging.redact[0].header',
    'logging.targets',
  ]);
});

test('parseCompiled() refuses another version without looking further', () => {
  assert.deepEqual(problemsOf({ version: 2 }).length, 1);
  assert.match(problemsOf({ version: 2 })[0] ?? '', /version 2/);
});

test('parseCompiled() refuses a route that names no upstream of the config', () => {
  const value = compiled();
  value['upstreams'] = (value['upstreams'] as unknown[]).slice(1);
  assert.match(problemsOf(value).join('\n'), /routes\[0\]: Route "opus" names "claude"/);
});

test('parseCompiledText() never throws on garbage and never quotes it', () => {
  const parsed = parseCompiledText('{"key": "sk-ant-secret"');
  assert.ok(!parsed.ok);
  assert.doesNotMatch(JSON.stringify(parsed.problems), /sk-ant/);
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseCompiledText(text);
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      parseCompiled(value);
    }),
  );
});

test('parseCompiled() never throws when any one field is replaced by anything', () => {
  const paths = pathsOf(compiled());
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, junk) => {
      const value = compiled();
      let parent = value;
      for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
      parent[path.at(-1) ?? ''] = junk;
      parseCompiled(value);
    }),
    { numRuns: 500 },
  );
});

function pathsOf(value: unknown, prefix: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [prefix];
  const inner = Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...prefix, key]));
  return prefix.length === 0 ? inner : [prefix, ...inner];
}
