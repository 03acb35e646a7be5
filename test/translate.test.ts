/** Golden cases of translation, in both directions: folders of test/golden/translate, whose README.md tells their parts. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Translator } from '../proxy/translate/translator.ts';
import { chunkings } from './support/translate/chunkings.ts';
import {
  caseContext,
  caseStream,
  readOutcome,
  runCase,
  translated,
  translationContext,
  writeOutcome,
} from './support/translate/golden-case.ts';

const ROOT = join(import.meta.dirname, 'golden/translate');

for (const pair of foldersIn(ROOT)) {
  const translator = await translatorOf(pair);
  const cases = foldersIn(join(ROOT, pair));
  test(`golden translate: ${pair} has cases`, () => assert.ok(cases.length > 0));
  for (const name of cases) {
    const folder = join(ROOT, pair, name);
    test(`golden translate ${pair}: ${name}`, () => {
      const actual = runCase(folder, translator);
      if (process.env['UPDATE_GOLDEN'] === '1') writeOutcome(folder, actual);
      assert.deepEqual(actual, readOutcome(folder), 'Set UPDATE_GOLDEN=1 to accept, then read the difference');
    });
    const stream = caseStream(folder);
    if (stream)
      test(`golden translate ${pair}: ${name}, in any chunks`, () => sameInAnyChunks(translator, folder, stream));
  }
}

function sameInAnyChunks(translator: Translator, folder: string, bytes: Buffer): void {
  const run = (chunks: readonly Buffer[]) => {
    const losses: string[] = [];
    const text = translated(translator.stream(translationContext(caseContext(folder), losses)), chunks);
    return { text, losses };
  };
  const whole = run([bytes]);
  for (const chunks of chunkings(bytes))
    assert.deepEqual(run(chunks), whole, `cut into ${chunks.length}, the first of ${chunks[0]?.length} bytes`);
}

/** By convention the folder `a-on-b` is served by proxy/translate/a-on-b/a-on-b.ts, which exports `aOnB`. */
async function translatorOf(pair: string): Promise<Translator> {
  const url = pathToFileURL(join(import.meta.dirname, `../proxy/translate/${pair}/${pair}.ts`)).href;
  const module = (await import(url)) as Record<string, Translator>;
  const translator = module[pair.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
  assert.ok(translator, `No translator for the golden cases of ${pair}`);
  return translator;
}

function foldersIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}
