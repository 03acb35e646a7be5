// Runs one program to its end and gives back what it said. Used for everything that is not a daemon.
import { spawn } from 'node:child_process';
import { childEnvironment } from './settings.ts';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  cwd?: string;
  /** Added to the child's environment. */
  env?: NodeJS.ProcessEnv;
  /** Written to the child's standard input; absent means that it is empty. */
  input?: string;
  /** After this the child is killed; absent means no limit. */
  timeoutMs?: number;
}

/** Runs a program and resolves whatever its exit code is; rejects only when it cannot be started. */
export function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new TypeError('Cannot run a command: the list of arguments is empty');
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      env: { ...childEnvironment, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A child that leaves before it read its input must not take us down with EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('error', (cause) => reject(new Error(`Cannot run "${program}": ${cause.message}`, { cause })));
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Runs a program and rejects with its last words unless it exits with 0. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code === 0) return result.stdout;
  const words = (result.stderr.trim() || result.stdout.trim()).slice(-2000);
  throw new Error(`Cannot finish "${argv.join(' ')}": exit code ${result.code}: ${words}`);
}

/** Runs a program in the caller's terminal, for the command line's own subcommands. */
export async function runInTerminal(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new TypeError('Cannot run a command: the list of arguments is empty');
  const child = spawn(program, rest, { stdio: 'inherit', env: { ...childEnvironment, ...env } });
  // Who ends us means the child; a terminal's Ctrl-C reaches it by itself, and then its answer is ours.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const ignore = (): void => undefined;
  process.on('SIGTERM', pass).on('SIGHUP', pass).on('SIGINT', ignore);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`Cannot run "${program}": ${cause.message}`, { cause })));
      child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
    });
  } finally {
    process.off('SIGTERM', pass).off('SIGHUP', pass).off('SIGINT', ignore);
  }
}
