/** Arguments of `npm start`: what they become, and how wrong ones are named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '#contract/finding.ts';
import { parseOptions } from './options.ts';

function problemsOf(...args: string[]): string[] {
  try {
    parseOptions(args);
    return [];
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test('parseOptions() without arguments means the quick start, with -f a file, with -h help', () => {
  assert.equal(parseOptions([]).kind, 'quickstart');
  assert.equal(parseOptions(['-h']).kind, 'help');
  assert.deepEqual(parseOptions(['-f', 'a/llm.yaml', '--secrets=s', '--state', '/t'], '/home/me'), {
    kind: 'file',
    file: '/home/me/a/llm.yaml',
    secretsDirectory: '/home/me/s',
    stateDirectory: '/t',
    upstreamUrls: new Map(),
  });
});

test('parseOptions() keeps the state of two files apart', () => {
  const state = (file: string): string => {
    const options = parseOptions(['-f', file]);
    return options.kind === 'file' ? options.stateDirectory : '';
  };
  assert.match(state('a/blue.yaml'), /\/\.state\/blue$/);
  assert.notEqual(state('a/blue.yaml'), state('a/green.yaml'));
});

test('parseOptions() takes several resolutions, with = in the url', () => {
  const options = parseOptions([
    '-f',
    'x',
    '--resolve-upstream',
    'a=http://h:1/?b=c',
    '--resolve-upstream',
    'b=https://i',
  ]);
  assert.deepEqual(options.kind === 'file' && [...options.upstreamUrls], [
    ['a', 'http://h:1/?b=c'],
    ['b', 'https://i'],
  ]);
});

test('parseOptions() names every wrong argument and the known options', () => {
  assert.deepEqual(problemsOf('--flie', 'llm.yaml', '--state'), [
    '--flie: Unknown option; use --file, --secrets, --state, --resolve-upstream, --help (npm start -- --help tells more)',
    'llm.yaml: Put -- and -f before the file: npm start -- -f llm.yaml',
    '--state: A value is missing after it',
  ]);
  assert.match(
    problemsOf('-f', 'x', '--resolve-upstream', 'a')[0] ?? '',
    /^--resolve-upstream a: Write it as NAME=URL/,
  );
  assert.match(problemsOf('-f', 'x', '--resolve-upstream', 'a=ftp://b')[0] ?? '', /NAME=URL/);
  assert.match(problemsOf('--secrets', 'd')[0] ?? '', /^--secrets: Name the StreamProxy/);
});
