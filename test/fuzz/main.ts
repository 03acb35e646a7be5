/** `npm run fuzz [-- --seconds N] [--seed N] [--write]`: both fuzzers, half of the time each; exits 1 when something was found. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzHttp } from './http.ts';
import { renderFigures } from './render.ts';
import { fuzzScanner } from './scanner.ts';

const MOST_SECONDS = 24 * 3600;
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(seconds >= 1 && seconds <= MOST_SECONDS))
  throw new Error(`Cannot run "${values.seconds}" seconds: use 1 to ${MOST_SECONDS}`);
if (!Number.isSafeInteger(seed)) throw new Error(`Cannot use the seed "${values.seed}": use a whole number`);

console.log(`Fuzzing for ${seconds} s with --seed ${seed}`);
const half = seconds * 500;
const http = await fuzzHttp(half, seed);
const scanner = await fuzzScanner(performance.now() + half, seed);
const { failures: httpFailures, ...httpFigures } = http;
const { failures: scannerFailures, ...scannerFigures } = scanner;
console.log(JSON.stringify({ http: httpFigures, scanner: scannerFigures }, undefined, 2));
for (const failure of [...httpFailures, ...scannerFailures]) console.log(`found: ${failure}`);
if (values.write) {
  await writeFile(join(import.meta.dirname, '../../docs/fuzz.md'), renderFigures({ seconds, seed, http, scanner }));
}
process.exitCode = httpFailures.length + scannerFailures.length === 0 ? 0 : 1;
