import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { compile } from '#contract/compile/compile.ts';
import type { StreamProxy } from '#contract/resources.ts';
import { directorySource } from './directory-source.ts';
import type { ConfigEvent } from './source.ts';

const config = (revision: string): string =>
  JSON.stringify({
    version: 1,
    name: 'n',
    namespace: 'ns',
    generation: 1,
    revision,
    listen: { port: 1 },
    metrics: { port: 2 },
    upstreams: [
      {
        kind: 'valid',
        name: 'u',
        dialect: 'raw',
        origin: 'http://x',
        basePath: '',
        credentials: [{ kind: 'secret', file: 'key', header: 'x-api-key', scheme: 'bare' }],
        timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
        modelMap: [],
        translation: { flavor: 'openai', maxTokens: 1, onLoss: 'warn' },
      },
    ],
    routes: [],
    logging: { maxBodyBytes: 1, redact: [], spoolBytes: 1, spoolMaxAgeMs: 1, targets: [] },
  });

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-source-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function told(event: ConfigEvent | undefined): unknown {
  if (event?.kind !== 'loaded') return event?.problems.map(({ path }) => path);
  return [event.loaded.config.revision, event.loaded.credentials.get('key')];
}

async function put(directory: string, name: string, text: string): Promise<void> {
  await writeFile(join(directory, `.${name}`), text);
  await rename(join(directory, `.${name}`), join(directory, name));
}

for (const pollMs of [60_000, 10]) {
  test(`directorySource() tells each change of the content once (poll every ${pollMs} ms)`, { timeout: 10_000 }, (t) =>
    inDirectory(async (directory) => {
      const stop = new AbortController();
      const events = directorySource(directory, { pollMs })
        .events(AbortSignal.any([stop.signal, t.signal]))
        [Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => told((await events.next()).value as ConfigEvent);
      assert.deepEqual(await next(), ['']);
      await put(directory, 'key', 'first\n');
      await put(directory, 'config.json', config('r1'));
      assert.deepEqual(await next(), ['r1', 'first']);
      await put(directory, 'unrelated', 'x');
      await put(directory, 'key', 'second\r\n');
      assert.deepEqual(await next(), ['r1', 'second']);
      await put(directory, 'config.json', '{"version":1}');
      assert.equal(((await next()) as string[])[0], 'name');
      stop.abort();
      assert.equal((await events.next()).done, true);
    }),
  );
}

test('directorySource() waits for a directory that is not there yet', { timeout: 10_000 }, (t) =>
  inDirectory(async (parent) => {
    const directory = join(parent, 'later');
    const stop = new AbortController();
    const events = directorySource(directory, { pollMs: 10 })
      .events(AbortSignal.any([stop.signal, t.signal]))
      [Symbol.asyncIterator]();
    assert.deepEqual(told((await events.next()).value as ConfigEvent), ['']);
    await mkdir(directory);
    await put(directory, 'config.json', config('r1'));
    assert.deepEqual(told((await events.next()).value as ConfigEvent), ['r1', undefined]);
    stop.abort();
    await events.next();
  }),
);

test(
  'directorySource() reads every file that compile() has delivered, those of tools included',
  { timeout: 10_000 },
  (t) =>
    inDirectory(async (directory) => {
      const secret = (key: string): { name: string; key: string } => ({ name: 'keys', key });
      const spec: StreamProxy['spec'] = {
        upstreams: [
          {
            name: 'up',
            dialect: 'raw',
            url: 'https://up',
            credentials: [{ secret: secret('upstream') }],
            tls: { ca: { secret: secret('ca') } },
          },
        ],
        routes: [
          {
            name: 'all',
            upstreams: [{ name: 'up' }],
            toolLoop: {
              http: [{ name: 'look', description: 'Looks', url: 'http://tool', secret: secret('http') }],
              mcpServers: [{ name: 'lab', url: 'http://mcp', allow: ['*'], secret: secret('mcp') }],
            },
          },
        ],
        logging: {
          targets: [{ name: 'hook', http: { url: 'http://hook', credential: { secret: secret('target') } } }],
        },
      };
      const keys = new Set(['upstream', 'ca', 'http', 'mcp', 'target']);
      const facts = new Map([['keys', { exists: true as const, version: '1', keys }]]);
      const delivered = compile({ metadata: { name: 'llm' }, spec }, facts);
      assert.deepEqual(new Set(delivered.credentials.map(({ key }) => key)), keys);
      for (const { file, key } of delivered.credentials) await put(directory, file, `value of ${key}`);
      await put(directory, 'config.json', JSON.stringify(delivered.config));
      const [event] = await Array.fromAsync(firstOf(directorySource(directory).events(t.signal)));
      assert.ok(event?.kind === 'loaded', JSON.stringify(event));
      for (const { file, key } of delivered.credentials)
        assert.equal(event.loaded.credentials.get(file), `value of ${key}`);
    }),
);

async function* firstOf<T>(events: AsyncIterable<T>): AsyncIterable<T> {
  for await (const event of events) {
    yield event;
    return;
  }
}
