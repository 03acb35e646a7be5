/** Runs one tool of the machine to its end. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const MOST_OUTPUT_BYTES = 16 * 1024 ** 2;

/** @returns standard output; throws with what the tool printed when it fails or is missing */
export async function runTool(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const options = { maxBuffer: MOST_OUTPUT_BYTES, ...(cwd !== undefined && { cwd }) };
  return (await promisify(execFile)(program, args, options)).stdout;
}

/** The same, and undefined when it fails or is missing. */
export async function tryTool(program: string, args: readonly string[], cwd?: string): Promise<string | undefined> {
  return runTool(program, args, cwd).catch(() => undefined);
}
