/** Keeps a `file` target's path below the state directory, whatever links lie on the way. */
import { lstat, mkdir, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';

/** Thrown when a path leads, or is led by a link, out of the state directory. */
export class OutsideError extends Error {
  override readonly name = 'OutsideError';
}

/**
 * Makes the folders that lead to the file, and none outside.
 * @param path relative, below the state directory
 * @returns the file's real path; the file itself may not exist yet
 */
export async function confine(stateDirectory: string, path: string): Promise<string> {
  const relative = normalize(path);
  if (
    isAbsolute(path) ||
    relative.split(sep).includes('..') ||
    relative === '.' ||
    path.endsWith('/') ||
    path.includes('\0')
  ) {
    throw new OutsideError(`Cannot write to "${path}": it must be a relative path below the state directory`);
  }
  const root = await realpath(stateDirectory);
  const folders = dirname(relative)
    .split(sep)
    .filter((folder) => folder !== '.');
  let current = root;
  for (const folder of folders) {
    current = join(current, folder);
    await enter(current, path);
  }
  const file = join(root, relative);
  const stat = await lstat(file).catch(noneIfMissing);
  if (stat !== undefined && !stat.isFile()) throw new OutsideError(`Cannot write to "${path}": it is not a plain file`);
  return file;
}

/** One folder at a time: `mkdir -p` would follow a link and create folders behind it. */
async function enter(folder: string, path: string): Promise<void> {
  const stat = await lstat(folder).catch(noneIfMissing);
  if (stat === undefined) await mkdir(folder, { mode: 0o700 });
  else if (!stat.isDirectory()) {
    throw new OutsideError(`Cannot write to "${path}": "${folder}" is no folder; links are not followed`);
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
