/** Makes a directory and those above it. Node's own `recursive` never returns where a directory is there and refuses children as if it were not, as in /proc. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** For nobody but us. */
const MODE = 0o700;

/**
 * Done when it is there already, also by a link.
 * @throws what the file system throws
 */
export function makeDirectory(path: string): void {
  try {
    makeLast(path);
  } catch (error) {
    const above = dirname(path);
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing || above === path || isDirectory(above)) throw error;
    makeDirectory(above);
    makeLast(path);
  }
}

/** Another process may have made it just now. */
function makeLast(path: string): void {
  try {
    mkdirSync(path, { mode: MODE });
  } catch (error) {
    if (!isDirectory(path)) throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
