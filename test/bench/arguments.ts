/** The command line of `npm run bench`, parsed once. */
import { parseArgs } from 'node:util';
import { READY, SCENARIOS, scenariosNamed } from './scenarios.ts';

export interface Arguments {
  /** Names of scenarios, `ready` among them. */
  readonly scenarios: readonly string[];
  readonly subjects: readonly string[];
  readonly passes: number;
  readonly seconds: number;
  /** How often each subject is started for `ready`. */
  readonly starts: number;
  /** Where the raw results go; absent: nowhere, as a part of the measurement must not replace the whole. */
  readonly out: string | undefined;
}

export const USAGE = `Usage: npm run bench -- [scenario…] [--subjects a,b] [--passes 3] [--seconds 15] [--starts 10] [--out FOLDER]
Scenarios: ${[...SCENARIOS.map(({ name }) => name), READY].join(', ')} (all of them unless named; a word also takes
those whose names begin with it and a dash).
With every subject the raw results go to docs/performance; with --subjects only to the folder that --out names.`;

/** @throws Error with one sentence when the line cannot be understood */
export function readArguments(args: readonly string[], known: readonly string[], whole: string): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      subjects: { type: 'string' },
      passes: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '15' },
      starts: { type: 'string', default: '10' },
      out: { type: 'string' },
    },
  });
  const names = [...SCENARIOS.map(({ name }) => name), READY];
  const subjects = values.subjects?.split(',') ?? known;
  return {
    scenarios: positionals.length === 0 ? names : [...new Set(positionals.flatMap((word) => chosen(word, names)))],
    subjects: subjects.map((name) => oneOf(name, known, 'subject')),
    passes: count(values.passes, 'passes', 20),
    seconds: count(values.seconds, 'seconds', 120),
    starts: count(values.starts, 'starts', 100),
    out: values.out ?? (values.subjects === undefined ? whole : undefined),
  };
}

function chosen(word: string, names: readonly string[]): string[] {
  const own = scenariosNamed(word, names);
  return own.length > 0 ? own : [oneOf(word, names, 'scenario')];
}

function oneOf(name: string, names: readonly string[], what: string): string {
  if (names.includes(name)) return name;
  throw new Error(`Cannot find the ${what} "${name}"; use one of ${names.join(', ')}`);
}

function count(text: string, name: string, max: number): number {
  const value = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= max) return value;
  throw new Error(`Cannot use "${text}" for --${name}; use a whole number from 1 to ${max}`);
}
