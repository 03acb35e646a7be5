/** The quick gate: format, lint, types, generated files, unit, golden and architecture tests. No cluster, no network. */
import { globSync } from 'node:fs';
import { runCheck, runTests, type StageResult } from './stage.ts';

/** Test files beside the sources, and those of test/ itself. */
export function unitTests(): string[] {
  return [
    ...globSync('{contract,proxy,operator,scripts}/**/*.test.ts'),
    ...globSync('test/*.test.ts'),
    ...globSync('test/support/**/*.test.ts'),
  ].sort();
}

/** Runs the gate. @returns one result a stage, in order */
export async function quickGate(): Promise<StageResult[]> {
  const checks = Promise.all([
    runCheck('format', ['biome', 'check', '--error-on-warnings', '.']),
    runCheck('lint', ['oxlint', '--type-aware', '--deny-warnings']),
    runCheck('types', ['tsc', '--noEmit']),
  ]);
  const results = await checks;
  return [...results, await runTests('unit', unitTests(), 3)];
}

/** Prints a stage's outcome in one line. */
export function printStage(result: StageResult): void {
  const counts = `${result.passed.length} passed, ${result.failed.length} failed, ${result.skipped.length} skipped`;
  console.log(`${result.ok ? '✔' : '✖'} ${result.name}: ${counts} in ${result.seconds.toFixed(1)} s`);
  for (const name of result.failed) console.log(`    failed: ${name}`);
  for (const name of result.skipped) console.log(`    skipped: ${name}`);
}
