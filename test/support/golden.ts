/** Golden cases: a directory of `<case>.in.yaml` and `<case>.out.yaml`. Adding a case is adding a file; UPDATE_GOLDEN=1 writes the outputs. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';

/**
 * Registers one test for each case.
 * @param folder below test/golden
 * @param produce the parsed input → what the output shall say; plain data
 */
export async function goldenTests(folder: string, produce: (input: unknown) => unknown): Promise<void> {
  const root = join(import.meta.dirname, '../golden', folder);
  const files = await readdir(root);
  const cases = files.filter((file) => file.endsWith('.in.yaml')).map((file) => file.slice(0, -'.in.yaml'.length));
  assert.ok(cases.length > 0, `No golden cases in test/golden/${folder}`);
  for (const name of cases) {
    void test(`golden ${folder}: ${name}`, async () => {
      const actual = plain(produce(parse(await readFile(join(root, `${name}.in.yaml`), 'utf8'))));
      const path = join(root, `${name}.out.yaml`);
      if (process.env['UPDATE_GOLDEN'] === '1')
        await writeFile(path, stringify(actual, { aliasDuplicateObjects: false, lineWidth: 120 }));
      const expected: unknown = parse(await readFile(path, 'utf8'));
      assert.deepEqual(actual, expected, `Set UPDATE_GOLDEN=1 to accept, then read the difference of ${name}.out.yaml`);
    });
  }
  void test(`golden ${folder}: every output has its input`, () => {
    const outputs = files
      .filter((file) => file.endsWith('.out.yaml'))
      .map((file) => file.slice(0, -'.out.yaml'.length));
    assert.deepEqual(
      outputs.filter((name) => !cases.includes(name)),
      [],
    );
  });
}

/** As it would be read back: no undefined, no classes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
