/** The base of an image: Node's program, the libraries that it needs, certificate authorities, and who the users are. */
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { SIDECAR_UID } from '../../contract/names.ts';
import { type DebianPackages, findDebianPackages } from './debian-packages.ts';
import type { ImageFile } from './layer.ts';
import { runTool, tryTool } from './run-tool.ts';

/** The operator's user, as Kubernetes' own images use it. */
export const OPERATOR_UID = 65532;
export const NODE_PATH = '/usr/local/bin/node';

export interface NodeRuntime {
  /** Changes whenever the files may have changed. */
  readonly key: string;
  /** Versions of what is in there, for the image's labels. */
  readonly labels: Readonly<Record<string, string>>;
  files(): Promise<ImageFile[]>;
}

/** @param nodeProgram path of the Node binary to carry; @param cacheFolder where downloads are kept */
export async function findNodeRuntime(nodeProgram: string, cacheFolder: string): Promise<NodeRuntime> {
  const debian = await findDebianPackages(cacheFolder);
  const version = (await runTool(nodeProgram, ['--version'])).trim();
  const hash = createHash('sha256').update(await readFile(nodeProgram));
  const source = debian?.versions.join(' ') ?? 'libraries of the building machine';
  const builder = await Promise.all(
    [import.meta.filename, join(import.meta.dirname, 'layer.ts')].map((path) => readFile(path)),
  );
  for (const part of [source, ...builder]) hash.update(part);
  return {
    key: hash.digest('hex').slice(0, 16),
    labels: { 'sluice.dev/node': version, 'sluice.dev/libraries': source },
    files: () => collect(nodeProgram, debian),
  };
}

async function collect(nodeProgram: string, debian: DebianPackages | undefined): Promise<ImageFile[]> {
  const root = await debian?.unpack();
  const files: ImageFile[] = [...users(), { path: NODE_PATH, content: await stripped(nodeProgram), mode: 0o755 }];
  for (const path of await neededLibraries(nodeProgram)) {
    const content = await readFile(root === undefined ? path : await findBelow(root, basename(path)));
    files.push({ path, content, mode: 0o755 });
  }
  files.push({ path: '/etc/ssl/certs/ca-certificates.crt', content: await authorities(root ?? '/') });
  for (const license of root === undefined ? [] : await readdir(join(root, 'usr/share/doc'))) {
    const content = await readFile(join(root ?? '/', 'usr/share/doc', license, 'copyright')).catch(() => undefined);
    if (content) files.push({ path: `/usr/share/doc/${license}/copyright`, content });
  }
  return files;
}

function users(): ImageFile[] {
  const names = { root: 0, operator: OPERATOR_UID, sluice: SIDECAR_UID };
  const lines = (line: (name: string, id: number) => string) =>
    Buffer.from(
      Object.entries(names)
        .map(([name, id]) => `${line(name, id)}\n`)
        .join(''),
    );
  return [
    { path: '/etc/passwd', content: lines((name, id) => `${name}:x:${id}:${id}::/nonexistent:/sbin/nologin`) },
    { path: '/etc/group', content: lines((name, id) => `${name}:x:${id}:`) },
    { path: '/etc/nsswitch.conf', content: Buffer.from('hosts: files dns\n') },
    { path: '/tmp', mode: 0o1777 },
  ];
}

/** Without its symbols the program is a fifth smaller; it stays as it is where there is no strip. */
async function stripped(program: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  try {
    const copy = join(folder, 'node');
    await copyFile(program, copy);
    await tryTool('strip', [copy]);
    return await readFile(copy);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Paths at which the program looks for its libraries and its loader, by the machine's own loader. */
async function neededLibraries(program: string): Promise<string[]> {
  const paths = (await runTool('ldd', [program])).split('\n').flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  if (paths.length === 0)
    throw new Error(`Cannot find the libraries of "${program}": ldd names none; build on a glibc Linux`);
  return [...new Set(paths)];
}

async function findBelow(root: string, name: string): Promise<string> {
  const found = (await readdir(root, { recursive: true })).filter((path) => basename(path) === name);
  for (const path of found) {
    const real = await realpath(join(root, path)).catch(() => undefined);
    if (real?.startsWith(root)) return real;
  }
  throw new Error(`Cannot find "${name}" in the downloaded Debian packages: add the package that has it to PACKAGES`);
}

async function authorities(root: string): Promise<Buffer> {
  const bundle = await readFile(join(root, 'etc/ssl/certs/ca-certificates.crt')).catch(() => undefined);
  if (bundle) return bundle;
  const folder = join(root, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort();
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))));
}
