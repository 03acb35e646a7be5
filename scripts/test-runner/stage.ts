/** Runs one stage of the gates as a child process, shows what it prints, and says how it went. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface StageResult {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Names with their reasons. */
  readonly skipped: readonly string[];
}

interface TestLine {
  name?: string;
  file?: string;
  outcome?: 'passed' | 'failed' | 'skipped';
  reason?: string | boolean;
}

/** Runs a command that is no test (a checker); it counts as one passed or failed test of the stage's name. */
export async function runCheck(name: string, command: readonly string[]): Promise<StageResult> {
  const startedAt = performance.now();
  const { code, output } = await run(command, {}, false);
  const ok = code === 0;
  if (!ok) process.stdout.write(`\n--- ${name}\n${output}\n`);
  const names = [name];
  return { name, ok, seconds: since(startedAt), passed: ok ? names : [], failed: ok ? [] : names, skipped: [] };
}

/**
 * Runs test files with node:test.
 * @param concurrency how many files at once
 */
export async function runTests(
  name: string,
  files: readonly string[],
  concurrency: number,
  env: Record<string, string> = {},
): Promise<StageResult> {
  const startedAt = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tests-'));
  const lines = join(folder, 'lines.ndjson');
  const reporter = new URL('reporter.ts', import.meta.url).href;
  const command = [
    process.execPath,
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${lines}`,
    ...files,
  ];
  try {
    const { code } = await run(command, env, true);
    const tests = (await readFile(lines, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as TestLine)
      .filter((line) => line.outcome !== undefined);
    const named = (outcome: string): string[] =>
      tests
        .filter((t) => t.outcome === outcome)
        .map((t) => (typeof t.reason === 'string' ? `${t.name} (${t.reason})` : `${t.name}`));
    const failed = named('failed');
    if (code !== 0 && failed.length === 0) failed.push(`${name}: the test process ended with code ${code}`);
    return {
      name,
      ok: code === 0 && failed.length === 0,
      seconds: since(startedAt),
      passed: named('passed'),
      failed,
      skipped: named('skipped'),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function since(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

async function run(
  command: readonly string[],
  env: Record<string, string>,
  show: boolean,
): Promise<{ code: number; output: string }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      if (show) process.stdout.write(text);
      else output += text;
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
  return { code, output };
}
