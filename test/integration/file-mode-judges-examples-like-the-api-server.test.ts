/**
 * Promise: every file of crds/examples/ runs, every one of bad/ is refused with the words that its first lines promise, every one
 * of partly/ runs with its finding. What a real API server says to the same files is a test of the cluster.
 */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import schema from '#contract/streamproxy.schema.json' with { type: 'json' };
import { secretRefs } from '../../contract/secrets.ts';
import { type FileLoad, loadFile } from '../../proxy/config/file-source.ts';
import { parseResource } from '../../proxy/config/parse-resource.ts';

const EXAMPLES = join(import.meta.dirname, '../../crds/examples');

let secretsDirectory: string;

before(async () => {
  secretsDirectory = await mkdtemp(join(tmpdir(), 'sluice-examples-'));
});
after(() => rm(secretsDirectory, { recursive: true, force: true }));

/** Values of the comment lines `# <word>: …` at the top. */
async function promised(file: string, word: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.filter((line) => line.startsWith(`# ${word}: `)).map((line) => line.slice(word.length + 4));
}

function said(load: FileLoad): string {
  return load.kind === 'rejected' ? load.problems.map(({ path, message }) => `${path}: ${message}`).join('\n') : '';
}

const good = globSync(`${EXAMPLES}/*.yaml`).sort();
const bad = globSync(`${EXAMPLES}/bad/*.yaml`).sort();
const partly = globSync(`${EXAMPLES}/partly/*.yaml`).sort();

test('file mode: there are examples of every kind', () => {
  assert.ok(good.length >= 9 && bad.length >= 20 && partly.length >= 3);
});

for (const file of good) {
  test(`file mode: ${basename(file)} runs without a finding and says in its first line what it shows`, async () => {
    const text = await readFile(file, 'utf8');
    assert.match(text, /^# Shows .{20}/);
    const parsed = await parseResource(text);
    assert.equal(parsed.kind, 'resource', JSON.stringify(parsed));
    for (const { name, key } of parsed.kind === 'resource' ? secretRefs(parsed.resource.spec) : []) {
      await mkdir(join(secretsDirectory, name), { recursive: true });
      await writeFile(join(secretsDirectory, name, key), 'value of an example');
    }
    const load = await loadFile({ file, secretsDirectory });
    assert.deepEqual(load.kind === 'loaded' && load.findings, []);
  });
}

for (const file of bad) {
  test(`file mode: bad/${basename(file)} is refused for its one mistake`, async () => {
    const expected = [...(await promised(file, 'refused')), ...(await promised(file, 'refused (file)'))];
    assert.ok(expected.length > 0, 'the file says what it is refused for');
    assert.match(await readFile(file, 'utf8'), /^# refused/);
    const load = await loadFile({ file });
    for (const words of expected) assert.ok(said(load).includes(words), `"${words}" is not in: ${said(load)}`);
    assert.equal(load.kind === 'rejected' && load.problems.length, 1, said(load));
  });
}

for (const file of partly) {
  test(`file mode: partly/${basename(file)} runs with its finding`, async () => {
    const expected = await promised(file, 'finding');
    assert.ok(expected.length > 0, 'the file says which finding it has');
    const load = await loadFile({ file, secretsDirectory });
    const reasons = load.kind === 'loaded' ? new Set(load.findings.map((finding) => finding.reason)) : said(load);
    assert.deepEqual(reasons, new Set(expected));
  });
}

test('file mode: every rule of the schema has a bad example', async () => {
  const messages: string[] = [];
  JSON.stringify(schema, (key, value: unknown) => {
    if (key === 'x-kubernetes-validations')
      messages.push(...(value as { message: string }[]).map((rule) => rule.message));
    return value;
  });
  assert.ok(messages.length > 10);
  const promises = (await Promise.all(bad.map((file) => promised(file, 'refused')))).flat();
  const without = messages.filter((message) => !promises.some((words) => message.includes(words)));
  assert.deepEqual(without, []);
});
