/** Derived files equal what their source gives: CRDs -> types, schema, the chart's copies. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { STREAM_ENDS } from '../contract/stream-end.ts';
import { RUNNING } from '../proxy/log/audit/messages.ts';
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

test('drift: the page offers every end that the search knows', async () => {
  const page = join(ROOT, 'proxy/admin/audit/page');
  const [, list = ''] =
    /<select name="end">(.*?)<\/select>/s.exec(await readFile(join(page, 'page.html'), 'utf8')) ?? [];
  const offered = [...list.matchAll(/<option>(\w+)<\/option>/g)].map(([, end]) => end);
  assert.equal(offered.length, STREAM_ENDS.length + 1);
  assert.deepEqual(new Set<unknown>(offered), new Set<unknown>([...STREAM_ENDS, RUNNING]));
  assert.match(await readFile(join(page, 'elements.js'), 'utf8'), new RegExp(`RUNNING = '${RUNNING}';`));
});
