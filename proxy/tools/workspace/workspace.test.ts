import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WORKSPACE_TOOLS, workspaceToolName } from '#contract/compiled-tool-loop.ts';
import type { Json, ToolResult } from '../tool.ts';
import { readConfined } from './confined.ts';
import { workspaceTools } from './tools.ts';

let base: string;
let root: string;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'sluice-workspace-'));
  root = join(base, 'inside');
  await mkdir(join(root, 'notes'), { recursive: true });
  await mkdir(join(base, 'outside'));
  await writeFile(join(base, 'outside', 'secret'), 'SECRET');
  await writeFile(join(root, 'notes', 'a.txt'), 'Grüße 🌊');
  await symlink(join(base, 'outside', 'secret'), join(root, 'link-to-file'));
  await symlink(join(base, 'outside'), join(root, 'link-to-folder'));
  await symlink('../outside', join(root, 'notes', 'relative-link'));
  await symlink('a.txt', join(root, 'notes', 'link-inside'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
});
after(() => rm(base, { recursive: true, force: true }));

const LEADS_OUT = [
  '../outside/secret',
  'notes/../../outside/secret',
  '/etc/passwd',
  'link-to-file',
  'link-to-folder/secret',
  'notes/relative-link/secret',
  'notes/link-inside',
  '..',
  'notes\\..\\x',
  'a\0b',
];

function call(tool: (typeof WORKSPACE_TOOLS)[number], args: Json, maxFileBytes = 100): Promise<ToolResult> {
  const tools = workspaceTools({ directory: root, allow: WORKSPACE_TOOLS, maxFileBytes }, workspaceToolName);
  const found = tools.find(({ name }) => name === `workspace_${tool}`) ?? assert.fail();
  return found.call(args, AbortSignal.timeout(10_000));
}

function said({ content }: ToolResult): string {
  return content.map((part) => (part.kind === 'text' ? part.text : '')).join('');
}

test('nothing outside is read, written or listed, whatever leads there', async () => {
  for (const path of LEADS_OUT) {
    const results = [
      await call('read', { path }),
      await call('write', { path, content: 'OVERWRITTEN' }),
      await call('list', { path }),
    ];
    for (const result of results) {
      assert.equal(result.isError, true, `${path}: ${said(result)}`);
      assert.doesNotMatch(said(result), /SECRET|root:/);
      assert.ok(!said(result).includes(base), 'a real path was told');
    }
  }
  assert.equal(await readFile(join(base, 'outside', 'secret'), 'utf8'), 'SECRET');
  assert.equal(await readFile(join(root, 'notes', 'a.txt'), 'utf8'), 'Grüße 🌊');
});

test('a folder that becomes a link during the walk leads nowhere', { skip: process.platform !== 'linux' }, async () => {
  const folder = join(root, 'swap');
  await mkdir(folder);
  let going = true;
  const swapping = (async () => {
    while (going) {
      await rename(folder, `${folder}-kept`);
      await symlink(join(base, 'outside'), folder);
      await rm(folder);
      await rename(`${folder}-kept`, folder);
    }
  })();
  const seen = new Set<string>();
  for (let count = 0; count < 300; count += 1) {
    const read = readConfined(root, 'swap/secret', { offset: 0, maxBytes: 10 });
    seen.add(
      await read.then(
        ({ bytes }) => bytes.toString(),
        (error: Error) => error.name,
      ),
    );
  }
  going = false;
  await swapping;
  assert.deepEqual([...seen], ['WorkspaceError']);
});

test('a pipe does not hold the reader up, a folder is no file', async () => {
  assert.match(said(await call('read', { path: 'pipe' })), /no plain file/);
  assert.match(said(await call('write', { path: 'pipe', content: 'x' })), /no plain file/);
  assert.match(said(await call('read', { path: 'notes' })), /no plain file/);
  assert.match(said(await call('write', { path: '.', content: 'x' })), /is a folder/);
});

test('lists by name, with kinds', async () => {
  const top = said(await call('list', {})).split('\n');
  assert.ok(top.includes('notes/') && top.includes('link-to-file (link, not readable)'));
  const names = top.map((line) => line.replace(/\/$| \(.*$/, ''));
  assert.deepEqual(names, names.toSorted());
  assert.match(said(await call('list', { path: 'nowhere' })), /"nowhere" does not exist/);
});

test('reads in parts that end between characters', async () => {
  const first = await call('read', { path: 'notes/a.txt' }, 9);
  assert.equal(said(first), 'Grüße \n[4 more bytes: read on with offset 8]');
  assert.equal(said(await call('read', { path: 'notes/a.txt', offset: 8 }, 9)), '🌊');
  await writeFile(join(root, 'binary'), Buffer.from([0xff, 0xfe, 0x00, 0x01]));
  assert.match(said(await call('read', { path: 'binary' })), /no text file/);
});

test('writes new files with their folders, old ones anew, and none that is too long', async () => {
  assert.equal((await call('write', { path: 'made/here/b.txt', content: 'long content' })).isError, false);
  await call('write', { path: 'made/here/b.txt', content: 'short' });
  assert.equal(await readFile(join(root, 'made', 'here', 'b.txt'), 'utf8'), 'short');
  const long = await call('write', { path: 'long.txt', content: 'x'.repeat(101) });
  assert.match(said(long), /at most 100/);
  assert.equal(long.isError, true);
  assert.match(said(await call('read', { path: 'long.txt' })), /does not exist/);
});
