// Small questions to the file system that several files ask.
import { access, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** True when the path is there, whatever it is. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Writes a file that only its owner may read, and the folders above it. */
export async function writePrivate(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode: 0o600 });
}
