// Makes and removes the run folder. It is removed with all that it holds, and its name comes from the user:
// a marker inside tells that it is ours, for as long as anything else is in it.
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists } from './files.ts';
import { paths, runFolder } from './settings.ts';

/** Makes the folder, with its marker before anything else. */
export async function claimRunFolder(): Promise<void> {
  await mkdir(runFolder, { recursive: true, mode: 0o700 });
  await requireOwnRunFolder();
  await writeFile(paths.marker, '');
}

/** Throws when the folder holds files and none of them says that it is ours. */
export async function requireOwnRunFolder(): Promise<void> {
  const names = await readdir(runFolder).catch(() => []);
  if (names.length === 0 || (await exists(paths.marker))) return;
  throw new Error(`Cannot use the run folder "${runFolder}": it holds other files; set SLUICE_RUN to an empty folder`);
}

/** Removes the folder; the marker goes last, so that an interrupted removal can be taken up again. */
export async function removeRunFolder(): Promise<void> {
  if (!(await exists(runFolder))) return;
  for (const name of await readdir(runFolder)) {
    if (name === basename(paths.marker)) continue;
    await rm(join(runFolder, name), { recursive: true, force: true, maxRetries: 5 });
  }
  await rm(paths.marker, { force: true });
  await rmdir(runFolder);
}
