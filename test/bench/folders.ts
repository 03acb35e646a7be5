/** Where the measurement keeps built programs, and runs a command to its end. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(import.meta.dirname, '../..');

export const CACHE =
  process.env['SLUICE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice');

const run = promisify(execFile);

/** Runs a command to its end. @returns stdout and stderr together; throws when it fails */
export async function runCommand(argv: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  const [program = '', ...args] = argv;
  const path = [process.env['PATH'], '/usr/local/go/bin', '/usr/sbin', '/sbin'].filter(Boolean).join(':');
  const env = { ...process.env, PATH: path, GOFLAGS: '-buildvcs=false', GOWORK: 'off', CGO_ENABLED: '0' };
  const { stdout, stderr } = await run(program, args, { ...options, env, maxBuffer: 64 << 20 });
  return stdout + stderr;
}

/** @returns the output, or undefined when the command is missing or fails */
export async function tryCommand(argv: readonly string[]): Promise<string | undefined> {
  return runCommand(argv).catch(() => undefined);
}

/** Makes a folder of the cache unless it is there; a build that breaks off leaves nothing that looks finished. */
export async function cached(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (await isFolder(folder)) return folder;
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(`${folder}.unfinished-`);
  try {
    await build(unfinished);
    await rename(unfinished, folder).catch(async (cause: unknown) => {
      if (!(await isFolder(folder))) throw cause;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

async function isFolder(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}

/** Builds the rig when its sources have changed. @returns the program's path */
export async function buildRig(): Promise<string> {
  const sources = join(import.meta.dirname, 'go');
  const hash = createHash('sha256').update(await runCommand(['go', 'version']));
  for (const file of (await readdir(sources)).sort()) hash.update(file).update(await readFile(join(sources, file)));
  const folder = await cached(`bench-${hash.digest('hex').slice(0, 16)}`, async (unfinished) => {
    await runCommand(['go', 'build', '-trimpath', '-o', join(unfinished, 'bench'), '.'], { cwd: sources });
  });
  return join(folder, 'bench');
}
