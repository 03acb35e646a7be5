/** kubectl as the tests use it: arguments in, text or JSON out, a clear error with what it printed. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;

/** Runs a program to its end. Never rejects for an exit code; rejects when it cannot be started or takes too long. */
export async function run(
  command: readonly string[],
  { input, timeoutMs = DEFAULT_TIMEOUT_MS }: RunOptions = {},
): Promise<RunResult> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (signal === null) resolve(status ?? 1);
      else reject(new Error(`Running "${command.join(' ')}" was ended by ${signal} after ${timeoutMs} ms: ${stderr}`));
    });
  });
  return { code, stdout, stderr };
}

/** A kubectl bound to one cluster. */
export class Kubectl {
  /** Program and flags, for callers that start it themselves. */
  readonly command: readonly string[];

  constructor(program: string, kubeconfig: string) {
    this.command = [program, '--kubeconfig', kubeconfig];
  }

  /** Runs kubectl whatever its exit code. */
  try(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run([...this.command, ...args], options);
  }

  /** Runs kubectl. @returns standard output; throws what it printed when it fails */
  async do(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.try(args, options);
    if (result.code !== 0)
      throw new Error(`kubectl ${args.join(' ')} failed (${result.code}): ${result.stderr}${result.stdout}`);
    return result.stdout;
  }

  /** `kubectl get … -o json`, parsed. */
  async get<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.do(['get', ...args, '-o', 'json'])) as T;
  }

  /** Applies YAML text. @returns what kubectl printed */
  apply(yaml: string, args: readonly string[] = []): Promise<string> {
    return this.do(['apply', '-f', '-', ...args], { input: yaml });
  }
}
