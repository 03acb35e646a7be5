/** Debian's packages as files: downloaded once by apt, unpacked with dpkg, nothing installed. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, tryTool } from './run-tool.ts';

/** What Node needs of the system, and certificate authorities for programs that ask OpenSSL's usual place. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'ca-certificates'] as const;

export interface DebianPackages {
  /** File names with versions, sorted; they tell one state of the distribution from another. */
  readonly versions: readonly string[];
  /** Unpacks them, downloading what the cache lacks. @returns the folder that they were unpacked into */
  unpack(): Promise<string>;
}

/** @returns undefined on a machine without apt, or one whose lists name none of the packages */
export async function findDebianPackages(cacheFolder: string): Promise<DebianPackages | undefined> {
  const listed = await tryTool('apt-get', ['download', '--print-uris', ...PACKAGES]);
  const versions = (listed ?? '').split('\n').flatMap((line) => line.split(' ')[1] ?? []);
  if (versions.length !== PACKAGES.length) return undefined;
  return { versions: versions.sort(), unpack: () => unpack(cacheFolder, versions) };
}

async function unpack(cacheFolder: string, versions: readonly string[]): Promise<string> {
  const folder = join(cacheFolder, 'debian');
  const fresh = `${folder}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(join(fresh, 'root'), { recursive: true });
  await runTool('apt-get', ['download', '-q', ...PACKAGES], fresh);
  for (const file of versions)
    await runTool('dpkg', ['-x', join(fresh, decodeURIComponent(file)), join(fresh, 'root')]);
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
  return join(folder, 'root');
}
