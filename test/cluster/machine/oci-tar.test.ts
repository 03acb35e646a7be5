// The image tar must be one that an ordinary tar reads, whose digests are those of its own content.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { buildImageTar } from './oci-tar.ts';

function unpack(tar: Buffer, member: string): Buffer {
  const result = spawnSync('tar', ['-xOf', '-', member], { input: tar, maxBuffer: 1e8 });
  assert.equal(result.status, 0, result.stderr.toString());
  return result.stdout;
}

test('buildImageTar() names the digest of the layer that it holds', () => {
  const content = Buffer.from('#!/bin/true\n'.repeat(100));
  const image = buildImageTar([{ path: '/bin/program', content }], {
    name: 'localhost/x:1',
    entrypoint: ['/bin/program'],
  });
  const [manifest] = JSON.parse(unpack(image, 'manifest.json').toString()) as [{ Config: string; RepoTags: string[] }];
  const config = unpack(image, manifest.Config);
  const layer = unpack(image, 'layer.tar');
  const digest = createHash('sha256').update(layer).digest('hex');
  assert.deepEqual(manifest.RepoTags, ['localhost/x:1']);
  assert.ok(config.includes(`sha256:${digest}`));
  assert.deepEqual(unpack(layer, 'bin/program'), content);
});

test('buildImageTar() refuses a path that its format cannot hold', () => {
  const file = { path: `/${'x'.repeat(101)}`, content: Buffer.alloc(0) };
  assert.throws(() => buildImageTar([file], { name: 'localhost/x:1', entrypoint: ['/x'] }), /longer than 100 bytes/);
});
