/** The file source on real files: what it loads, what it refuses, what a change makes of it. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FileSourceOptions, fileSource, loadFile } from './file-source.ts';
import type { ConfigEvent } from './source.ts';

const GOOD = `apiVersion: sluice.dev/v1alpha1
kind: StreamProxy
metadata: {name: llm}
spec:
  upstreams: [{name: claude, dialect: anthropic, url: "https://api.anthropic.com", credentials: [{secret: {name: anthropic, key: api-key}}]}]
  routes: [{name: all, upstreams: [{name: claude}]}]
`;

interface Folder {
  readonly options: FileSourceOptions;
  readonly write: (text: string) => Promise<void>;
  readonly secret: (name: string, key: string, value: string) => Promise<void>;
}

async function folder(t: TestContext): Promise<Folder> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-file-source-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const options = { file: join(root, 'llm.yaml'), secretsDirectory: join(root, 'secrets'), pollMs: 50, settleMs: 10 };
  await mkdir(options.secretsDirectory);
  return {
    options,
    write: (text) => replaceFile(options.file, text),
    secret: async (name, key, value) => {
      await mkdir(join(options.secretsDirectory, name), { recursive: true });
      await replaceFile(join(options.secretsDirectory, name, key), value);
    },
  };
}

/** At once, as a half-written file is another file. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** The source's events one by one; ends with the test. */
function follow(t: TestContext, options: FileSourceOptions): () => Promise<ConfigEvent> {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const events = fileSource(options).events(stop.signal)[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await events.next();
    assert.ok(!done, 'the source ended');
    return value as ConfigEvent;
  };
}

function revisionOf(event: ConfigEvent): string {
  assert.equal(event.kind, 'loaded', JSON.stringify(event));
  return event.kind === 'loaded' ? event.loaded.config.revision : '';
}

test('loadFile() compiles the file and reads the secrets that it names, less one newline', async (t) => {
  const { options, write, secret } = await folder(t);
  await write(GOOD);
  await secret('anthropic', 'api-key', 'k-1\n');
  await secret('anthropic', 'other', 'k-2');
  const load = await loadFile(options);
  assert.equal(load.kind, 'loaded');
  if (load.kind !== 'loaded') return;
  assert.deepEqual([...load.loaded.credentials.values()], ['k-1']);
  assert.deepEqual(load.findings, []);
  const [upstream] = load.loaded.config.upstreams;
  assert.deepEqual(upstream?.kind === 'valid' && upstream.credentials.map((c) => c.kind), ['secret']);
  assert.equal((await loadFile(options)).kind === 'loaded' && load.loaded.config.generation, 0);
});

test('loadFile() reports a Secret, a key and a value that are not there as findings', async (t) => {
  const { options, write, secret } = await folder(t);
  await write(GOOD);
  const reasons = async (): Promise<string[] | undefined> => {
    const load = await loadFile(options);
    return load.kind === 'loaded' ? load.findings.map((finding) => finding.reason) : undefined;
  };
  assert.deepEqual(await reasons(), ['SecretNotFound']);
  await secret('anthropic', 'other', 'x');
  assert.deepEqual(await reasons(), ['SecretKeyNotFound']);
  await secret('anthropic', 'api-key', '\n');
  assert.deepEqual(await reasons(), ['SecretKeyNotFound']);
  await secret('anthropic', 'api-key', 'x');
  assert.deepEqual(await reasons(), []);
});

test('loadFile() rejects a file or credential that cannot be read, naming it', async (t) => {
  const { options, write } = await folder(t);
  const missing = await loadFile(options);
  assert.match(missing.kind === 'rejected' ? (missing.problems[0]?.message ?? '') : '', /ENOENT/);
  await write(GOOD);
  const key = join(options.secretsDirectory ?? '', 'anthropic', 'api-key');
  await mkdir(key, { recursive: true });
  const unreadable = await loadFile(options);
  assert.deepEqual(unreadable.kind === 'rejected' && unreadable.problems.map((problem) => problem.path), [key]);
});

test('loadFile() resolves the named upstream to another url and rejects a name that is not there', async (t) => {
  const { options, write } = await folder(t);
  await write(GOOD.replace('{secret: {name: anthropic, key: api-key}}', '{client: {}}'));
  const load = await loadFile({ ...options, upstreamUrls: new Map([['claude', 'http://127.0.0.1:1/v1']]) });
  const upstream = load.kind === 'loaded' ? load.loaded.config.upstreams[0] : undefined;
  assert.equal(upstream?.kind === 'valid' && upstream.origin, 'http://127.0.0.1:1');
  const unknown = await loadFile({ ...options, upstreamUrls: new Map([['gpt', 'http://127.0.0.1:1']]) });
  assert.match(unknown.kind === 'rejected' ? (unknown.problems[0]?.message ?? '') : '', /"gpt" is no entry.*"claude"/);
});

test('fileSource() says what is there, then each change: new file, bad file, good again, written in place', async (t) => {
  const { options, write } = await folder(t);
  await write(GOOD);
  const next = follow(t, options);
  const first = revisionOf(await next());
  await write(GOOD.replace('name: all', 'name: everything'));
  const second = revisionOf(await next());
  assert.notEqual(second, first);
  await write(GOOD.replace('anthropic,', 'gemini,'));
  const bad = await next();
  assert.match(bad.kind === 'rejected' ? (bad.problems[0]?.path ?? '') : '', /^spec\.upstreams\[0\]\.dialect$/);
  const file = await open(options.file, 'r+');
  await file.write(`${GOOD}#${' '.repeat(1000)}\n`, 0);
  await file.close();
  assert.equal(revisionOf(await next()), first);
});

test('fileSource() says so when a secret appears and when it changes, with a revision of its own', async (t) => {
  const { options, write, secret } = await folder(t);
  await write(GOOD);
  const next = follow(t, options);
  const without = revisionOf(await next());
  await secret('anthropic', 'api-key', 'k-1');
  const first = await next();
  await secret('anthropic', 'api-key', 'k-2');
  const second = await next();
  assert.equal(new Set([without, revisionOf(first), revisionOf(second)]).size, 3);
  assert.deepEqual(second.kind === 'loaded' && [...second.loaded.credentials.values()], ['k-2']);
});

test('fileSource() keeps silent about a change that changes nothing, and ends when it is told to', async (t) => {
  const { options, write } = await folder(t);
  await write(GOOD);
  const reported: string[] = [];
  const stop = new AbortController();
  const events = fileSource({ ...options, report: (load) => reported.push(load.kind) }).events(stop.signal);
  const iterator = events[Symbol.asyncIterator]();
  await iterator.next();
  const pending = iterator.next();
  await write(`# a comment\n${GOOD}`);
  // Nothing is to be said, so there is nothing to wait for but several looks at the file.
  await sleep(300);
  await write(GOOD.replace('name: all', 'name: everything'));
  assert.match(JSON.stringify((await pending).value), /"everything"/);
  assert.deepEqual(reported, ['loaded', 'loaded']);
  const last = iterator.next();
  stop.abort();
  assert.deepEqual(await last, { value: undefined, done: true });
});
