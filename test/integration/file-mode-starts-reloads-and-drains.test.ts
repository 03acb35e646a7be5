/** Promise: `npm start` runs any StreamProxy without Kubernetes, takes changes of its files, and ends with 0 after a drain. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream/server.ts';
import { configInForce, listenUrl, startProcess } from '../support/start-process.ts';

interface Folder {
  readonly path: string;
  readonly file: string;
  readonly args: readonly string[];
}

async function folder(t: TestContext): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  // The processes that write there are ended after this.
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 20 }));
  await mkdir(join(path, 'secrets', 'anthropic'), { recursive: true });
  const file = join(path, 'llm.yaml');
  return { path, file, args: ['-f', file, '--secrets', join(path, 'secrets'), '--state', join(path, 'state')] };
}

async function upstream(t: TestContext): Promise<ScriptedUpstream> {
  const started = await startScriptedUpstream({ delayMs: 0 });
  t.after(() => started.close());
  return started;
}

/** At once, as an editor does it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

function resource(url: string, more = ''): string {
  return `apiVersion: sluice.dev/v1alpha1
kind: StreamProxy
metadata: {name: llm}
spec:
  upstreams:
  - {name: claude, dialect: anthropic, url: "${url}", credentials: [{secret: {name: anthropic, key: api-key}}]}
  - {name: open, dialect: anthropic, url: "${url}"}
  routes:
  - {name: keyed, match: {headers: [{name: x-keyed, values: ["1"]}]}, upstreams: [{name: claude}]}
  - {name: all, upstreams: [{name: open}]}
${more}`;
}

function ask(
  base: string,
  model = 'scripted',
  headers: Record<string, string> = {},
  path = '/v1/messages',
): Promise<Response> {
  const body = { model, stream: true, max_tokens: 99, messages: [{ role: 'user', content: 'Sing of streams' }] };
  const all = { 'content-type': 'application/json', ...headers };
  return fetch(`${base}${path}`, { method: 'POST', headers: all, body: JSON.stringify(body) });
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test('npm start streams both dialects byte for byte from its scripted upstream and says how to try it', async (t) => {
  const { path } = await folder(t);
  const started = startProcess(t, ['--state', path]);
  const base = await listenUrl(started);
  const [, upstreamUrl = ''] = await started.printed(/scripted upstream answers at (http:\/\/127\.0\.0\.1:\d+)/);
  for (const dialect of ['/v1/messages', '/v1/chat/completions']) {
    assert.ok(started.stdout().includes(`curl -N ${base}${dialect}`), dialect);
    const response = await ask(base, 'scripted?delay=1', {}, dialect);
    const bytes = Buffer.from(await response.arrayBuffer());
    const id = response.headers.get('scripted-answer-id') ?? '';
    const sent = (await (await fetch(`${upstreamUrl}/control/answers/${id}`)).json()) as {
      sha256: string;
      end: string;
    };
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sent.sha256);
    assert.equal(sent.end, 'complete');
  }
  const [, metricsUrl = ''] = await started.printed(/metrics +(http:\S+)/);
  assert.match(await (await fetch(metricsUrl)).text(), /sluice_exchanges_total\{.*end="complete".*\} 1/);
  started.child.kill('SIGTERM');
  assert.equal(await started.ended(), 0, started.stderr());
  const [, records = ''] = await started.printed(/records +conversations: (\S+)/);
  assert.equal((await readFile(records, 'utf8')).trim().split('\n').length, 2);
});

test('npm start lets a stream finish after SIGTERM, refuses new connections, and ends with 0', async (t) => {
  const { file, args } = await folder(t);
  const provider = await upstream(t);
  await writeFile(file, resource(provider.url));
  const started = startProcess(t, args);
  const base = await listenUrl(started);
  const response = await ask(base, 'scripted?hold=5&gate=drain');
  started.child.kill('SIGTERM');
  await started.printed(/Draining/);
  provider.journal.release('drain');
  assert.match(await response.text(), /event: message_stop/);
  assert.equal(await started.ended(), 0, started.stderr());
  await assert.rejects(ask(base), TypeError);
});

test('npm start takes two signals of one Ctrl-C as one, and a later one as the wish to end at once', async (t) => {
  const { file, args } = await folder(t);
  const provider = await upstream(t);
  await writeFile(file, resource(provider.url));
  const started = startProcess(t, args);
  const base = await listenUrl(started);
  const [whole, held] = [await ask(base, 'scripted?hold=5&gate=first'), await ask(base, 'scripted?hold=5&gate=never')];
  started.child.kill('SIGINT');
  started.child.kill('SIGINT');
  await started.printed(/Draining/);
  provider.journal.release('first');
  assert.match(await whole.text(), /event: message_stop/);
  await sleep(600);
  started.child.kill('SIGINT');
  await assert.rejects(held.text(), TypeError);
  assert.equal(await started.ended(), 0, started.stderr());
});

test('npm start, the command itself, passes SIGTERM on and ends with the exit code of the drain', async (t) => {
  const { path } = await folder(t);
  const started = startProcess(t, ['--state', path], {}, 'npm');
  await listenUrl(started);
  started.child.kill('SIGTERM');
  assert.equal(await started.ended(), 0, started.stderr());
});

test('npm start takes a changed file; a stream in flight goes on where it started', async (t) => {
  const { file, args } = await folder(t);
  const [blue, green] = [await upstream(t), await upstream(t)];
  await writeFile(file, resource(blue.url));
  const started = startProcess(t, args);
  const base = await listenUrl(started);
  const held = await ask(base, 'scripted?hold=5&gate=reload');
  await replaceFile(file, resource(green.url));
  await configInForce(started, 2);
  await (await ask(base)).text();
  assert.deepEqual([blue.journal.exchanges, green.journal.exchanges], [1, 1]);
  blue.journal.release('reload');
  assert.match(await held.text(), /event: message_stop/);
});

test('npm start keeps the last good file when a later one is wrong, and says which field', async (t) => {
  const { file, args } = await folder(t);
  const provider = await upstream(t);
  await writeFile(file, resource(provider.url));
  const started = startProcess(t, args);
  const base = await listenUrl(started);
  await replaceFile(file, resource(provider.url).replace('dialect: anthropic', 'dialect: gemini'));
  await started.printed(/Config refused.*spec\.upstreams\[0\]\.dialect/);
  assert.equal((await ask(base)).status, 200);
});

test('npm start sends the key that lies in --secrets, and a changed one after the change', async (t) => {
  const { path, file, args } = await folder(t);
  const provider = await upstream(t);
  await writeFile(file, resource(provider.url));
  const started = startProcess(t, args);
  const base = await listenUrl(started);
  await started.printed(
    /spec\.upstreams\[0\]\.credentials\[0\]\.secret: .*has no value under the key.*secrets\/<name>\/<key>/,
  );
  assert.equal((await ask(base, 'scripted', { 'x-keyed': '1' })).status, 503);
  assert.equal((await ask(base)).status, 200);
  for (const [index, key] of ['sk-first', 'sk-second'].entries()) {
    await replaceFile(join(path, 'secrets/anthropic/api-key'), `${key}\n`);
    await configInForce(started, index + 2);
    await (await ask(base, 'scripted', { 'x-keyed': '1' })).text();
    assert.deepEqual(
      provider.journal.requests.at(-1)?.headers.find(([name]) => name === 'x-api-key'),
      ['x-api-key', key],
    );
  }
  assert.doesNotMatch(started.stdout() + started.stderr(), /sk-first|sk-second/);
});

test('npm start ends with 2 and names every wrong field of the file', async (t) => {
  const { file, args } = await folder(t);
  await writeFile(file, resource('ftp://x.example').replace('name: all,', 'name: all, fallbacks: [],'));
  const started = startProcess(t, args);
  assert.equal(await started.ended(), 2);
  assert.match(started.stderr(), /llm\.yaml: spec\.upstreams\[0\]\.url: .*must start with/);
  assert.match(started.stderr(), /llm\.yaml: spec\.routes\[1\]\.fallbacks: .*did you mean "fallback"/);
});

test('npm start names each invalid part of a file once', async (t) => {
  const { file, args } = await folder(t);
  await writeFile(
    file,
    resource('http://127.0.0.1:1').replace('upstreams: [{name: claude}]', 'upstreams: [{name: clade}]'),
  );
  const started = startProcess(t, args);
  await configInForce(started, 1);
  await listenUrl(started);
  for (const text of ['clade', 'has no value under the key']) {
    assert.equal(started.stderr().split(text).length - 1, 1, started.stderr());
  }
});

test('npm start ends with 1 where no state directory can be made, and says so at once', async (t) => {
  const { file, args } = await folder(t);
  await writeFile(file, resource('http://127.0.0.1:1'));
  // In /proc a directory is there and takes no children, as if it were not there itself.
  for (const [state, code] of [
    ['/proc/sluice/state', 'ENOENT'],
    [join(file, 'state'), 'ENOTDIR'],
  ] as const) {
    const started = startProcess(t, [...args, '--state', state]);
    assert.equal(await started.ended(), 1, started.stderr());
    const said = `Cannot make the state directory "${state}" (${code}); name another one with --state`;
    assert.ok(started.stderr().includes(said), started.stderr());
  }
});

test('npm start ends with 2 at unknown options and names the known ones', async (t) => {
  const started = startProcess(t, ['--flie', 'x.yaml']);
  assert.equal(await started.ended(), 2);
  assert.match(started.stderr(), /--flie: Unknown option; use --file, --secrets, --state/);
  const missing = startProcess(t, ['-f', 'x.yaml', '--secrets', '/nowhere/at/all']);
  assert.equal(await missing.ended(), 2);
  assert.match(missing.stderr(), /--secrets: .*is no folder/);
});

test('npm start ends with 1 when a port is in use and names its field', async (t) => {
  const { file, args } = await folder(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  const free = await freePort();
  for (const field of ['listen', 'metrics'] as const) {
    const ports = field === 'listen' ? { listen: port, metrics: free } : { listen: free, metrics: port };
    const more = `  listen: {port: ${ports.listen}}\n  metrics: {port: ${ports.metrics}}\n`;
    await writeFile(file, resource('http://127.0.0.1:1', more));
    const started = startProcess(t, args, { SLUICE_LISTEN_PORT: '', SLUICE_METRICS_PORT: '' });
    assert.equal(await started.ended(), 1, started.stderr());
    assert.match(started.stderr(), new RegExp(`^spec\\.${field}\\.port: Port ${port} is in use`, 'm'));
  }
});

test('npm start leaves the state directory to the process that has it, and takes it over from one that was killed', async (t) => {
  const { path, file, args } = await folder(t);
  const provider = await upstream(t);
  await writeFile(file, resource(provider.url, '  logging: {targets: [{name: f, file: {path: records.ndjson}}]}'));
  const first = startProcess(t, args);
  const answer = await ask(await listenUrl(first), 'scripted?hold=3&gate=g');
  const journal = join(path, 'state', 'open.ndjson');
  // Its last mark until the stream goes on.
  let open = '';
  while (!open.includes('"mark":"matched"')) open = await readFile(journal, 'utf8');
  const second = startProcess(t, args);
  await second.printed(/^The state directory .*$|"message":"Listening"/m);
  assert.match(second.stderr(), /^The state directory ".*state" is in use by another proxy; .* --state$/m);
  assert.equal(await second.ended(), 1, second.stderr());
  assert.doesNotMatch(second.stderr(), /left open/);
  assert.equal(await readFile(journal, 'utf8'), open);
  first.child.kill('SIGKILL');
  await first.ended();
  await answer.body?.cancel().catch(() => undefined);
  const third = startProcess(t, args);
  await third.printed(/left open/);
  await listenUrl(third);
  third.child.kill('SIGKILL');
  await third.ended();
});

test('npm start ends with 1 at a host that the machine does not have, and names the variable', async (t) => {
  const { file, args } = await folder(t);
  await writeFile(file, resource('http://127.0.0.1:1'));
  // TEST-NET-1 (RFC 5737): nobody's address.
  const started = startProcess(t, args, { SLUICE_METRICS_HOST: '192.0.2.1' });
  assert.equal(await started.ended(), 1);
  assert.match(started.stderr(), /^SLUICE_METRICS_HOST: "192\.0\.2\.1" is no address of this machine/m);
});
