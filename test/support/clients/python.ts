/** Python with packages in a virtual environment of our own, made once and kept in the cache. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const CLIENT = join(import.meta.dirname, 'client.py');
/** Generous: wheels are downloaded the first time. */
const INSTALL_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 60_000;

/** The version line of python3; undefined when there is none. */
export async function pythonVersion(): Promise<string | undefined> {
  try {
    return (await run('python3', ['--version'])).stdout.trim();
  } catch {
    return undefined;
  }
}

/** The environment with the providers' SDKs. */
export function pythonWithSdks(version: string): Promise<string> {
  return pythonWith(version, REQUIREMENTS);
}

/**
 * Makes the environment unless it is there.
 * @param version of the interpreter, which an environment is bound to
 * @param requirementsFile packages, all of them with their exact versions
 * @returns path of its interpreter
 */
export async function pythonWith(version: string, requirementsFile: string): Promise<string> {
  const requirements = await readFile(requirementsFile, 'utf8');
  const hash = createHash('sha256').update(`${version}\n${process.arch}\n${requirements}`).digest('hex').slice(0, 16);
  const home = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const cache = process.env['SLUICE_CACHE'] || join(home, 'sluice');
  const folder = join(cache, `python-${hash}`);
  const interpreter = join(folder, 'bin/python3');
  if (existsSync(interpreter)) return interpreter;
  // Under another name until it is whole, so that a broken download leaves nothing that looks ready.
  const unfinished = `${folder}.${process.pid}`;
  await mkdir(cache, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', unfinished], { timeout: INSTALL_TIMEOUT_MS });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirementsFile];
    await run(join(unfinished, 'bin/python3'), pip, { timeout: INSTALL_TIMEOUT_MS });
    await rename(unfinished, folder).catch((error: unknown) => {
      // Somebody else was faster.
      if (!existsSync(interpreter)) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return interpreter;
}

/** Runs client.py; @returns what it printed, one JSON object by name of the call */
export async function runPythonClient(
  interpreter: string,
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const { stdout } = await run(interpreter, [CLIENT], {
    timeout: RUN_TIMEOUT_MS,
    env: { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1', ...env },
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}
