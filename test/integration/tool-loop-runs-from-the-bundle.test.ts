/** What the tool loop imports lazily works in the image's bundle as it does from the sources: the MCP client, the schemas' validator. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { openToolbox } from '../../proxy/tools/toolbox.ts';
import { bundle } from '../../scripts/image/bundle.ts';
import { McpTestServer } from '../support/tool-loop/mcp-server.ts';

const ROOT = join(import.meta.dirname, '../..');

test('a bundled toolbox asks an MCP server, checks arguments and calls', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bundle-'));
  const mcp = await McpTestServer.start('key');
  context.after(async () => {
    await mcp.close();
    await rm(folder, { recursive: true, force: true });
  });
  const files = await bundle(ROOT, { toolbox: 'proxy/tools/toolbox.ts' });
  await Promise.all(files.map(({ name, content }) => writeFile(join(folder, name), content)));
  const bundled = (await import(join(folder, 'toolbox.mjs'))) as { openToolbox: typeof openToolbox };
  const server = { name: 'lab', url: mcp.url, allow: ['*'], refreshMs: 1000 };
  const credential = { file: 'f', header: 'authorization', scheme: 'bearer' as const };
  const fail = (message: string, fields?: unknown): void => assert.fail(`${message} ${JSON.stringify(fields)}`);
  const toolbox = bundled.openToolbox(
    {
      mcpServers: [{ ...server, credential }],
      http: [],
      progress: 'none',
      calls: 'hidden',
      maxRounds: 1,
      maxParallel: 1,
      callTimeoutMs: 1000,
      maxDurationMs: 1000,
      maxResultBytes: 1000,
    },
    new Map([['f', 'key']]),
    {
      logger: { debug: fail, info: fail, warn: fail, error: fail },
      meters: { toolListFailed: (server, reason) => assert.fail(`${server} ${reason}`) },
    },
  );
  const signal = AbortSignal.timeout(20_000);
  const add = (await toolbox.tools(signal)).get('add') ?? assert.fail('the server has no tool');
  assert.equal(add.readArguments('{"a": "one"}').ok, false);
  const read = add.readArguments('{"a": 1, "b": 2}');
  assert.ok(read.ok);
  assert.deepEqual((await add.call(read.args, signal)).content, [{ kind: 'text', text: '3' }]);
  await toolbox.close();
});
