/**
 * `npm test`: every test, stage by stage, those on the real cluster included; ends with the line `N passed, N failed`.
 * With --long the soaks, outages and large counts run in their long form as well. Under CI=true a skipped test, and a
 * promised test (test/promises.txt) that did not run, is a failure.
 */
import { globSync, readFileSync } from 'node:fs';
import { printStage, quickGate } from './test-runner/gate.ts';
import { runTests, type StageResult } from './test-runner/stage.ts';

const long = process.argv.includes('--long');
const inCi = process.env['CI'] === 'true';
const env = long ? { SLUICE_LONG: '1' } : undefined;

const results: StageResult[] = await quickGate();
results.push(await runTests('integration', globSync('test/integration/*.test.ts').sort(), 2, env));
results.push(await runTests('cluster', globSync('test/cluster/*.test.ts').sort(), 1, env));

console.log('');
for (const result of results) printStage(result);

const passed = results.flatMap((result) => result.passed);
const failed = results.flatMap((result) => result.failed);
const skipped = results.flatMap((result) => result.skipped);
for (const promise of missingPromises()) failed.push(`promised test did not pass: ${promise}`);
if (inCi) failed.push(...skipped.map((name) => `skipped under CI: ${name}`));
for (const name of failed) console.log(`failed: ${name}`);
console.log(`${passed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

function missingPromises(): string[] {
  const lines = readFileSync('test/promises.txt', 'utf8').split('\n');
  const promised = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  const known = new Set(inCi ? passed : [...passed, ...skipped.map((name) => name.replace(/ \([^)]*\)$/, ''))]);
  return promised.filter((name) => !known.has(name));
}
