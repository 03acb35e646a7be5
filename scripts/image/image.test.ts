/** Layers and archives: the same files give the same bytes, in whatever order they come, and every digest is true. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { makeArchive } from './archive.ts';
import { bundle, MAIN_FILE, PRODUCT_ENTRIES, PRODUCT_WORKERS } from './bundle.ts';
import { makeLayer, sha256 } from './layer.ts';

const FILES = [
  { path: '/b/two', content: Buffer.from('2'), mode: 0o755, uid: 64019 },
  { path: '/a', content: Buffer.from('1') },
];

async function untar(tar: Buffer): Promise<{ header: Header; content: Buffer }[]> {
  const entries: { header: Header; content: Buffer }[] = [];
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) entries.push({ header: entry.header, content: await buffer(entry) });
  return entries;
}

test('makeLayer() gives the same bytes whatever the order of the files', async () => {
  const [one, other] = await Promise.all([makeLayer(FILES), makeLayer(FILES.toReversed())]);
  assert.equal(one.digest, other.digest);
  assert.equal(one.digest, sha256(one.blob));
  assert.equal(one.diffId, sha256(zstdDecompressSync(one.blob)));
});

test('makeLayer() adds the folders above each file, and keeps modes and owners', async () => {
  const { blob } = await makeLayer(FILES);
  const entries = (await untar(zstdDecompressSync(blob))).map(({ header }) => header);
  assert.deepEqual(
    entries.map(({ name, mode, uid, gid, mtime }) => [name, mode, uid, gid, mtime?.getTime()]),
    [
      ['a', 0o644, 0, 0, 0],
      ['b/', 0o755, 0, 0, 0],
      ['b/two', 0o755, 64019, 64019, 0],
    ],
  );
});

test('makeArchive() names every blob by its digest, for OCI and for Docker', async () => {
  const layer = await makeLayer(FILES);
  const config = { entrypoint: ['/a'], env: [], user: '1:1', workingDirectory: '/', labels: {} };
  const { tar, digest } = await makeArchive('example.org/it:1', config, [layer]);
  const entries = new Map((await untar(tar)).map(({ header, content }) => [header.name, content]));
  for (const [name, content] of entries) {
    if (name.startsWith('blobs/')) assert.equal(name, `blobs/${sha256(content).replace(':', '/')}`);
  }
  const read = (name: string) => JSON.parse(String(entries.get(name))) as Record<string, never>;
  const [entry] = read('index.json')['manifests'] as unknown as [
    { digest: string; annotations: Record<string, string> },
  ];
  assert.equal(entry.digest, digest);
  assert.equal(entry.annotations['io.containerd.image.name'], 'example.org/it:1');
  const manifest = read(`blobs/${digest.replace(':', '/')}`) as unknown as {
    layers: { digest: string; size: number }[];
  };
  assert.deepEqual(
    manifest.layers.map((each) => [each.digest, each.size]),
    [[layer.digest, layer.blob.length]],
  );
  const [docker] = read('manifest.json') as unknown as [{ Config: string; Layers: string[]; RepoTags: string[] }];
  assert.deepEqual(docker.RepoTags, ['example.org/it:1']);
  for (const path of [docker.Config, ...docker.Layers]) assert.ok(entries.has(path), `${path} is missing`);
});

test('bundle() gives each command and each worker a file of its own, and the same bytes again', async () => {
  const root = new URL('../..', import.meta.url).pathname;
  const [one, other] = await Promise.all([1, 2].map(() => bundle(root, PRODUCT_ENTRIES, PRODUCT_WORKERS)));
  const names = (one ?? []).map(({ name }) => name);
  for (const name of [
    'operator.mjs',
    'proxy.mjs',
    'record-worker.mjs',
    'audit-worker.mjs',
    'audit-page.html',
    MAIN_FILE,
  ])
    assert.ok(names.includes(name), name);
  const digests = (files = one) => (files ?? []).map(({ name, content }) => [name, sha256(content)]);
  assert.deepEqual(digests(one), digests(other));
});

test('bundle() keeps the operator and the Kubernetes client out of what the proxy loads', async () => {
  const files = new Map(
    (await bundle(new URL('../..', import.meta.url).pathname, PRODUCT_ENTRIES)).map((file) => [
      file.name,
      String(file.content),
    ]),
  );
  const loaded = new Set<string>();
  const visit = (name: string): void => {
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const [, next = ''] of (files.get(name) ?? '').matchAll(/from\s*"\.\/([^"]+)"/g)) visit(next);
  };
  visit('proxy.mjs');
  assert.ok(loaded.size > 1);
  for (const name of loaded)
    assert.doesNotMatch(files.get(name) ?? '', /KubeConfig/, `${name} holds the Kubernetes client`);
});
