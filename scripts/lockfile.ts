/**
 * `npm run lockfile`: completes package-lock.json after an install. A registry that does not carry the builds of every
 * platform makes npm leave them out of the lockfile, and `npm ci` then refuses it everywhere; the entries are added by name,
 * so that the platforms which have no use for them skip them.
 */
import { readFile, writeFile } from 'node:fs/promises';

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const PLATFORM =
  /(?:^|[/-])(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-([a-z]+))?$/;
const FILE = new URL('../package-lock.json', import.meta.url);

/** Adds what is missing. @returns the names added */
function complete(packages: Record<string, Entry>): string[] {
  const added: string[] = [];
  for (const entry of Object.values(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      const platform = PLATFORM.exec(name);
      if (packages[path] || !platform) continue;
      const [, os = '', cpu = '', abi = ''] = platform;
      const libc = os === 'linux' && abi !== '' ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {};
      packages[path] = { version, cpu: [cpu], ...(entry.dev && { dev: true }), ...libc, optional: true, os: [os] };
      added.push(name);
    }
  }
  return added;
}

const lock = JSON.parse(await readFile(FILE, 'utf8')) as { packages: Record<string, Entry> };
const added = complete(lock.packages);
const [[rootPath, root] = ['', {}], ...others] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([[rootPath, root], ...others.sort(([a], [b]) => (a < b ? -1 : 1))]);
await writeFile(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(added.length === 0 ? 'package-lock.json is complete' : `added ${added.join(', ')}`);
