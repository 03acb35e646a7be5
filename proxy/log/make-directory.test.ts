import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from './make-directory.ts';

test('makeDirectory() makes what is missing on the way, for us alone, and leaves what is there', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-directory-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const deep = join(root, 'a', 'b', 'c');
  makeDirectory(deep);
  makeDirectory(deep);
  assert.equal(statSync(deep).mode & 0o777, 0o700);
  symlinkSync(deep, join(root, 'link'));
  makeDirectory(join(root, 'link'));
  makeDirectory(join(root, 'link', 'd'));
  assert.ok(statSync(join(deep, 'd')).isDirectory());
});

test('makeDirectory() says at once where none can be made', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-directory-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, 'file'), '');
  assert.throws(() => makeDirectory(join(root, 'file')), { code: 'EEXIST' });
  assert.throws(() => makeDirectory(join(root, 'file', 'below', 'it')), { code: 'ENOTDIR' });
  // The kernel's own file system is there, and has no room for anybody's files.
  assert.throws(() => makeDirectory('/proc/sluice'), { code: 'ENOENT' });
  assert.throws(() => makeDirectory('/proc/sluice/below/it'), { code: 'ENOENT' });
});
