/** Installs a Debian package that a test's server comes from, where it is missing. */
import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Generous: packages are downloaded the first time. */
const INSTALL_TIMEOUT_MS = 600_000;
/** Another test file may be installing something else; apt-get would not wait for it. */
const LOCK = join(tmpdir(), 'sluice-apt.lock');

/**
 * @param pattern glob of a program; the last match is taken, installed first if there is none
 * @returns its path; undefined when it is missing and this machine has no apt-get, or we are not root
 */
export async function programFrom(name: string, pattern: string): Promise<string | undefined> {
  const find = (): string | undefined => globSync(pattern).sort().at(-1);
  const found = find();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  const options = { timeout: INSTALL_TIMEOUT_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  await run('flock', [LOCK, 'apt-get', 'update', '-q'], options);
  await run('flock', [LOCK, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', name], options);
  return find();
}
