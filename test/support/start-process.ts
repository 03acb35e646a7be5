/** `npm start` as a process of its own: what it prints, where it listens, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

/** By the script itself, or as a person does it. */
const COMMANDS = {
  script: [process.execPath, join(ROOT, 'scripts/start.ts')],
  npm: ['npm', '--prefix', ROOT, 'start', '--'],
} as const;

/** Generous, as machines that run tests are busy; it only turns a hanging test into one that says what is missing. */
const PRINT_TIMEOUT_MS = 60_000;

export interface StartProcess {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves when either output holds text that matches, with the match; rejects when the process ends first. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the exit code. */
  ended(): Promise<number | null>;
}

/** Starts on free ports unless `env` says otherwise; ends with the test at the latest. */
export function startProcess(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  by: keyof typeof COMMANDS = 'script',
): StartProcess {
  const [command, ...fixed] = COMMANDS[by];
  const child = spawn(command, [...fixed, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SLUICE_LISTEN_PORT: '0', SLUICE_METRICS_PORT: '0', ...env },
  });
  const exit = once(child, 'close') as Promise<[number | null]>;
  const output = { stdout: '', stderr: '' };
  let changed = Promise.withResolvers<void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      output[stream] += chunk;
      changed.resolve();
      changed = Promise.withResolvers();
    });
  }
  t.after(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended: async () => (await exit)[0],
    async printed(pattern) {
      const gone = exit.then(([code]) => code);
      const late = AbortSignal.timeout(PRINT_TIMEOUT_MS);
      const timeout = once(late, 'abort').then(() => 'nothing more');
      for (;;) {
        const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
        if (match) return match;
        const code = await Promise.race([changed.promise.then(() => 'more' as const), gone, timeout]);
        if (code !== 'more')
          throw new Error(`Ended with ${code} before printing ${pattern}: ${output.stdout}${output.stderr}`);
      }
    },
  };
}

/** Where clients reach the proxy, once it says so. */
export async function listenUrl(started: StartProcess): Promise<string> {
  return (await started.printed(/ANTHROPIC_BASE_URL=(http:\/\/127\.0\.0\.1:\d+)\s[\s\S]*Stop it/))[1] ?? '';
}

/** Resolves when the n-th config since the start is in force. */
export async function configInForce(started: StartProcess, count: number): Promise<void> {
  await started.printed(new RegExp(`(?:Config in force[\\s\\S]*){${count}}`));
}
