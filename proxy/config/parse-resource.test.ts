/** The parser is held to what a Kubernetes API server 1.36 said to the same texts; the examples (test/integration) to the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import schema from '#contract/streamproxy.schema.json' with { type: 'json' };
import { MAX_RESOURCE_BYTES, parseResource } from './parse-resource.ts';
import { EXAMPLES } from './parse-resource-message.ts';
import { NAME_PATTERN } from './parse-resource-metadata.ts';

const HEAD = 'apiVersion: sluice.dev/v1alpha1\nkind: StreamProxy\nmetadata: {name: a}\nspec:\n';
const UPSTREAMS = '  upstreams: [{name: u, dialect: raw, url: "http://x.example"}]\n';
const ROUTES = '  routes: [{name: r, upstreams: [{name: u}]}]\n';
const GOOD = HEAD + UPSTREAMS + ROUTES;

/** `path: message` of each problem; none when the text is accepted. */
async function problemsOf(text: string): Promise<string[]> {
  const parsed = await parseResource(text);
  return parsed.kind === 'resource' ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
}

async function specOf(text: string): Promise<unknown> {
  const parsed = await parseResource(text);
  assert.equal(parsed.kind, 'resource', JSON.stringify(parsed));
  return parsed.kind === 'resource' ? parsed.resource.spec : undefined;
}

test('parseResource() fills in the defaults that the API server fills in', async () => {
  assert.deepEqual(await specOf(GOOD), {
    listen: { port: 8019, debug: 'onRequest', explain: 'onRequest', timeouts: { body: '60s', head: '60s' } },
    logging: {
      capture: { assemble: false, maxBodyBytes: '1Mi', partials: false, partialsEvery: '30s' },
      spool: { maxAge: '24h', maxBytes: '256Mi' },
    },
    metrics: { port: 9019 },
    routes: [{ match: {}, name: 'r', upstreams: [{ name: 'u', weight: 1 }] }],
    upstreams: [
      {
        dialect: 'raw',
        http2: false,
        name: 'u',
        timeouts: { connect: '5s', firstByte: '120s', idle: '120s', total: '0s' },
        translation: { flavor: 'openai', maxTokens: 8192, onLoss: 'warn' },
        url: 'http://x.example',
      },
    ],
  });
});

test('parseResource() treats a field with null as left out and refuses an element that is null', async () => {
  assert.deepEqual(
    await specOf(`${GOOD}  listen:\n  logging: {targets: , capture: {maxBodyBytes: }}\n`),
    await specOf(GOOD),
  );
  assert.deepEqual(await problemsOf(`${HEAD}${UPSTREAMS}  routes:\n`), [
    'spec.routes: Required value; add "routes" (Ordered; the first route that matches wins)',
  ]);
  const [problem] = await problemsOf(GOOD.replace('name: r,', 'name: r, match: {models: [~]},'));
  assert.match(problem ?? '', /^spec\.routes\[0\]\.match\.models\[0\]: Found null, the value must be of type string/);
});

test('parseResource() takes comments, merge keys, anchors, a trailing --- and JSON', async () => {
  const merged = `${HEAD}  upstreams:\n  - &u {name: u, dialect: raw, url: "http://x.example"}\n  - {<<: *u, name: v}\n${ROUTES}`;
  assert.match(JSON.stringify(await specOf(merged)), /"name":"v"/);
  assert.deepEqual(await problemsOf(`# hello\n${GOOD}---\n# the end\n`), []);
  const resource = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'a', labels: { 'a/b': 'c' } },
    spec: {
      upstreams: [{ name: 'u', dialect: 'raw', url: 'http://x.example' }],
      routes: [{ name: 'r', upstreams: [{ name: 'u' }] }],
    },
  };
  assert.deepEqual(await problemsOf(JSON.stringify(resource)), []);
});

test('parseResource() names line and column of what is no YAML, or means two things', async () => {
  assert.match((await problemsOf(`${HEAD}\tfoo: 1`))[0] ?? '', /^: Line 5, column 1: Tabs/);
  const twice = await problemsOf(`${GOOD}  listen: {}\n  listen: {}\n`);
  assert.deepEqual(twice, [': Line 8, column 3: listen is there twice in the same map; keep one of them']);
  const plain = await problemsOf(`${GOOD}  listen: {port: 010}\n  metrics: {port: 9_019}\n  x: [yes, n, OFF]\n`);
  assert.deepEqual(
    plain.map((problem) => /column \d+: (\S+) means one thing/.exec(problem)?.[1]),
    ['010', '9_019', 'yes', 'n', 'OFF'],
  );
  assert.deepEqual(await problemsOf(GOOD.replace('name: r,', 'name: r, match: {models: ["yes", "010"]},')), []);
  assert.match((await problemsOf(`${GOOD}  listen: *x\n`))[0] ?? '', /Unresolved alias/);
  assert.match((await problemsOf(`${GOOD}  listen: !x {}\n`))[0] ?? '', /Unresolved tag/);
});

test('parseResource() refuses aliases that would expand without bound', async () => {
  const bomb = ['a: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 10; i += 1)
    bomb.push(
      `b${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  assert.match((await problemsOf(`${bomb.join('\n')}\n`))[0] ?? '', /alias/i);
});

test('parseResource() takes one StreamProxy of this version, alone in its file and of a bounded size', async () => {
  assert.deepEqual(await problemsOf(`${GOOD}---\n${GOOD}`), [
    ': The file holds 2 YAML documents; keep one StreamProxy alone in its file',
  ]);
  for (const empty of ['', '# nothing\n', '---\n', '[]', 'text']) {
    assert.match((await problemsOf(empty))[0] ?? '', /^: The file holds no resource/, empty);
  }
  assert.deepEqual(await problemsOf(GOOD.replace('v1alpha1', 'v1').replace('StreamProxy', 'Pod')), [
    'apiVersion: Unsupported value: "sluice.dev/v1"; write apiVersion: sluice.dev/v1alpha1',
    'kind: Unsupported value: "Pod"; write kind: StreamProxy',
  ]);
  assert.match((await problemsOf(`${GOOD}#${'x'.repeat(MAX_RESOURCE_BYTES)}`))[0] ?? '', /^: The file has \d+ bytes/);
});

test('parseResource() reports every problem with its field, the nearest known field for an unknown one', async () => {
  const text = `${HEAD}${UPSTREAMS.replace('raw', 'gemini')}  routes: [{name: r, upstreams: [{nme: u}], fallbacks: []}]\n  listen: {port: 80}\n  nonsense: 1\n`;
  const found = await problemsOf(text);
  assert.deepEqual(found.toSorted(), [
    'spec.listen.port: 80 should be greater than or equal to 1024; raise it',
    'spec.nonsense: Remove the unknown field "spec.nonsense"; known here are "listen", "metrics", "agentTag", "tiers", "gateway", "sidecar", "upstreams", "routes" and others',
    'spec.routes[0].fallbacks: Remove the unknown field "spec.routes[0].fallbacks"; did you mean "fallback"?',
    'spec.routes[0].upstreams[0].name: Required value; add "name" (Name of an entry of spec.upstreams)',
    'spec.routes[0].upstreams[0].nme: Remove the unknown field "spec.routes[0].upstreams[0].nme"; did you mean "name"?',
    'spec.upstreams[0].dialect: Unsupported value: "gemini"; use one of "anthropic", "openai", "raw"',
  ]);
});

test('parseResource() names both entries that share a key', async () => {
  const text = GOOD.replace('[{name: u}]', '[{name: u}, {name: v}, {name: u}]');
  assert.deepEqual(await problemsOf(text), [
    'spec.routes[0].upstreams[2]: Duplicate value: {"name":"u"}; spec.routes[0].upstreams[0] has the same name, give each one of its own',
  ]);
});

test('parseResource() holds metadata to what the API server takes', async () => {
  const withMetadata = (metadata: string): Promise<string[]> => problemsOf(GOOD.replace('{name: a}', metadata));
  assert.match((await withMetadata('{}'))[0] ?? '', /^metadata\.name: Required value/);
  assert.match((await withMetadata('{name: A_b}'))[0] ?? '', /^metadata\.name: "A_b" should match/);
  assert.match((await withMetadata('{name: a, foo: 1}'))[0] ?? '', /^metadata\.foo: Remove the unknown field/);
  assert.match(
    (await withMetadata('{name: a, labels: {x/y: 1}}'))[0] ?? '',
    /^metadata\.labels\["x\/y"\]: Found integer/,
  );
  assert.deepEqual(await withMetadata('{name: a.b, namespace: c, annotations: {d/e: f}}'), []);
});

test('parseResource() shows no value where a key or password may stand', async () => {
  const inline = GOOD.replace(
    'name: u,',
    'name: u, credentials: [{secret: sk-1}, {secret: {name: sk-2/x, key: "sk 3"}}], key: sk-4,',
  );
  const url = GOOD.replace('http://x.example', 'ftp://me:sk-5@x.example');
  const all = [...(await problemsOf(inline)), ...(await problemsOf(url))];
  assert.ok(all.length >= 5);
  assert.doesNotMatch(all.join('\n'), /sk.\d/);
});

test('parseResource() has an example for every pattern of the schema', () => {
  const patterns = new Set<string>([NAME_PATTERN]);
  JSON.stringify(schema.properties.spec, (key, value: unknown) => {
    if (key === 'pattern' && typeof value === 'string') patterns.add(value);
    return value;
  });
  assert.deepEqual(
    [...patterns].filter((pattern) => !EXAMPLES.has(pattern)),
    [],
  );
  assert.deepEqual(
    [...EXAMPLES.keys()].filter((pattern) => !patterns.has(pattern)),
    [],
  );
});
