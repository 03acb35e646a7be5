import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from './compile/compile.ts';
import type { ValidRoute } from './compiled.ts';
import { parseCompiled, parseCompiledText } from './parse-compiled.ts';
import { markProgress, PROGRESS_SENTINEL, stripProgress } from './progress.ts';
import type { StreamProxy } from './resources.ts';

type Route = StreamProxy['spec']['routes'][number];

const HTTP = { name: 'ticket', description: 'Looks a ticket up', url: 'http://tickets/lookup' };
const FACTS = new Map([['tools', { exists: true as const, version: '1', keys: new Set(['token']) }]]);

function resource(route: Partial<Route>): StreamProxy {
  return {
    metadata: { name: 'llm' },
    spec: {
      upstreams: [{ name: 'claude', dialect: 'anthropic', url: 'https://api.anthropic.com' }],
      routes: [{ name: 'all', upstreams: [{ name: 'claude' }], ...route }],
    },
  };
}

function compiled(route: Partial<Route>): ValidRoute {
  const { config, findings } = compile(resource(route), FACTS);
  const [first] = config.routes;
  return first?.kind === 'valid' ? first : assert.fail(JSON.stringify(findings));
}

function findings(route: Partial<Route>): [string, string][] {
  return compile(resource(route), FACTS).findings.map(({ path, reason }) => [path, reason]);
}

test('compile() fills in every default of a tool loop and of pacing', () => {
  const { toolLoop, pacing } = compiled({
    toolLoop: { http: [HTTP], workspace: { directory: '/workspace' } },
    pacing: { wordDelay: '10ms-50ms' },
  });
  assert.deepEqual(toolLoop, {
    mcpServers: [],
    http: [{ ...HTTP, inputSchema: { type: 'object' } }],
    workspace: { directory: '/workspace', allow: ['list', 'read'], maxFileBytes: 262_144 },
    progress: 'none',
    calls: 'hidden',
    maxRounds: 15,
    maxParallel: 4,
    callTimeoutMs: 60_000,
    maxDurationMs: 600_000,
    maxResultBytes: 262_144,
  });
  assert.deepEqual(pacing, { minMs: 10, maxMs: 50, maxLagMs: 2000, nativePaths: false });
});

test('credentials of tools are delivered, and parse gives back what compile made', () => {
  const secret = { name: 'tools', key: 'token' };
  const mcp = { name: 'search', url: 'http://search/mcp', allow: ['*'], refresh: '30s', secret };
  const route = {
    toolLoop: {
      mcpServers: [mcp],
      http: [{ ...HTTP, secret: { ...secret, header: 'X-Key' } }],
      maxTokens: 5,
      workspace: { directory: '/w/x' },
    },
    pacing: { wordDelay: '0ms-5ms', nativePaths: true },
  };
  const { config, credentials } = compile(resource(route), FACTS);
  assert.deepEqual(
    credentials.map(({ name, key }) => [name, key]),
    [['tools', 'token']],
  );
  const { toolLoop } = compiled(route);
  const file = credentials[0]?.file;
  assert.deepEqual(toolLoop?.mcpServers[0]?.credential, { file, header: 'authorization', scheme: 'bearer' });
  assert.deepEqual(toolLoop?.http[0]?.credential, { file, header: 'x-key', scheme: 'bare' });
  assert.deepEqual(parseCompiledText(JSON.stringify(config)), { ok: true, config });
});

test('parse names every problem of a tool loop with its path', () => {
  const { config } = compile(resource({ toolLoop: { http: [HTTP], workspace: { directory: '/w' } } }), FACTS);
  const value = JSON.parse(JSON.stringify(config)) as { routes: [{ toolLoop: Record<string, unknown> }] };
  Object.assign(value.routes[0].toolLoop, {
    http: [
      { ...HTTP, url: 'file:///etc/passwd', inputSchema: [], credential: { file: '../x', header: 'A', scheme: 'b' } },
    ],
    workspace: { directory: '/w/../etc', allow: ['delete'], maxFileBytes: -1 },
    progress: 'loud',
    maxRounds: 'many',
  });
  const parsed = parseCompiled(value);
  const paths = parsed.ok ? [] : parsed.problems.map(({ path }) => path.replace('routes[0].toolLoop.', ''));
  assert.deepEqual(paths, [
    'http[0].url',
    'http[0].inputSchema',
    'http[0].credential.file',
    'http[0].credential.header',
    'http[0].credential.scheme',
    'workspace.directory',
    'workspace.allow[0]',
    'workspace.maxFileBytes',
    'progress',
    'maxRounds',
  ]);
});

test('findings: Secrets that are not there, names that clash, schemas and pauses that cannot work', () => {
  const at = 'spec.routes[0].toolLoop';
  const secret = { name: 'tools', key: 'other' };
  assert.deepEqual(findings({ toolLoop: { http: [{ ...HTTP, secret }] } }), [
    [`${at}.http[0].secret`, 'SecretKeyNotFound'],
  ]);
  const clash = { ...HTTP, name: 'workspace_write', inputSchema: { type: 'array' } };
  assert.deepEqual(findings({ toolLoop: { http: [clash], workspace: { directory: '/w', allow: ['write'] } } }), [
    [`${at}.http[0].name`, 'InvalidToolLoop'],
    [`${at}.http[0].inputSchema`, 'InvalidToolLoop'],
  ]);
  const mcp = { name: 'search', url: 'http://', allow: ['*'] };
  assert.deepEqual(findings({ toolLoop: { mcpServers: [mcp] } }), [[`${at}.mcpServers[0].url`, 'InvalidUrl']]);
  assert.deepEqual(findings({ pacing: { wordDelay: '50ms-10ms' } }), [
    ['spec.routes[0].pacing.wordDelay', 'InvalidToolLoop'],
  ]);
});

test('progress ends in its sentinel and is taken out wherever it stands, and nothing else is', () => {
  const lines = ['🔄 Starting…', '🔧 Executing a, b…', '⚙️ a (1/2)'].map(markProgress);
  for (const line of lines) assert.ok(line.endsWith(PROGRESS_SENTINEL));
  assert.equal(stripProgress(`x${lines[0]}y\n\n${lines[1]}${lines[2]}z`), 'xy\n\nz');
  assert.equal(stripProgress(`kept ${PROGRESS_SENTINEL}kept`), 'kept kept');
  const zeroWidth = 'family 👨‍👩‍👧, zero\u200bwidth, a\u2063b, a\u2060b';
  assert.equal(stripProgress(zeroWidth), zeroWidth);
});
