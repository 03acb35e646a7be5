/** Derived files equal what their source gives: CRDs -> types, schema, the chart's copies. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { derive } from '../scripts/derive.ts';
import { NODE_FLAGS } from '../scripts/image/bundle.ts';

const ROOT = join(import.meta.dirname, '..');

test('drift: types, schema and the chart copies equal what crds/ gives (npm run generate)', async () => {
  for (const [path, content] of await derive(ROOT)) {
    assert.equal(await readFile(join(ROOT, path), 'utf8'), content, `${path} differs; run npm run generate`);
  }
});

test('drift: the Dockerfile starts Node as our own images do', async () => {
  const [, entrypoint] = /^ENTRYPOINT (.*)$/m.exec(await readFile(join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
  const [, ...flags] = JSON.parse(entrypoint ?? '[]') as string[];
  assert.deepEqual(flags, [...NODE_FLAGS, '/app/main.mjs']);
});
