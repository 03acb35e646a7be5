/** Every example is accepted by a real API server; every bad one is refused with the message that its first line names. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Installed, installed } from '../support/cluster/installed.ts';

const EXAMPLES = join(import.meta.dirname, '../../crds/examples');
const NAMESPACE = 'sluice-examples';

let ready: Installed;

before(async () => {
  ready = await installed();
  await ready.kubectl.do(['create', 'namespace', NAMESPACE]);
});

after(() => ready?.kubectl.try(['delete', 'namespace', NAMESPACE, '--wait=false']));

const apply = (path: string) =>
  ready.kubectl.try(['-n', NAMESPACE, 'apply', '--dry-run=server', '--validate=strict', '-f', path]);

const good = globSync([join(EXAMPLES, '*.yaml'), join(EXAMPLES, 'partly/*.yaml')]).sort();
const bad = globSync(join(EXAMPLES, 'bad/*.yaml')).sort();

test('there are examples of both kinds', () => {
  assert.ok(good.length >= 8, `${good.length} good ones`);
  assert.ok(bad.length >= 20, `${bad.length} bad ones`);
});

for (const path of good) {
  test(`the API server accepts ${basename(path)}`, async () => {
    const result = await apply(path);
    assert.equal(result.code, 0, result.stderr);
  });
}

for (const path of bad) {
  test(`the API server refuses ${basename(path)} with a message that helps`, async () => {
    const wanted = /^# refused(?: \(api\))?: (.+)$/m.exec(readFileSync(path, 'utf8'))?.[1];
    assert.ok(wanted, 'its first line names the message');
    const result = await apply(path);
    assert.notEqual(result.code, 0, result.stdout);
    assert.ok(result.stderr.includes(wanted), `wanted "${wanted}" in: ${result.stderr}`);
  });
}
