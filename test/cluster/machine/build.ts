// Builds the pieces that are not in the cache yet, two at a time. A build lands in a temporary folder and is
// renamed when it is whole, so that an interrupted one leaves nothing that looks finished.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './files.ts';
import { goFolder, type Piece, type PieceName, pieces } from './pieces.ts';
import { runCommand } from './run-command.ts';
import { cacheFolder } from './settings.ts';

/** Folder of each finished piece that was asked for. */
export type BuiltPieces = Readonly<Record<PieceName, string>>;

const parallelBuilds = 2;

/** Folder that a piece has in the cache: its name and a hash of its sources, flags and Go version. */
async function folderOf(piece: Piece, goVersion: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(piece)).update(goVersion).update(process.arch);
  const source = join(goFolder, piece.name);
  for (const file of (await readdir(source)).sort()) {
    hash.update(`\0${file}\0`).update(await readFile(join(source, file)));
  }
  return join(cacheFolder, `${piece.name}-${hash.digest('hex').slice(0, 16)}`);
}

/** Builds what is missing (all that the cluster needs, unless named) and tells where each one lies. */
export async function buildPieces(
  log: (line: string) => void,
  names: readonly PieceName[] = pieces.filter((piece) => piece.onDemand !== true).map((piece) => piece.name),
): Promise<BuiltPieces> {
  const goVersion = (await runCommand(['go', 'env', 'GOVERSION'])).trim();
  await mkdir(cacheFolder, { recursive: true });
  await removeAbandoned();
  const folders = {} as Record<PieceName, string>;
  const waiting: { piece: Piece; folder: string }[] = [];
  for (const piece of pieces.filter((each) => names.includes(each.name))) {
    const folder = await folderOf(piece, goVersion);
    folders[piece.name] = folder;
    if (!(await exists(folder))) waiting.push({ piece, folder });
  }
  if (waiting.length > 0) log(`building ${waiting.map(({ piece }) => piece.name).join(', ')} into ${cacheFolder}`);
  await Promise.all(
    Array.from({ length: parallelBuilds }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await buildOne(next.piece, next.folder, log);
      }
    }),
  );
  return folders;
}

const abandonedAfterMs = 24 * 3600 * 1000;

/** A builder that was killed leaves its temporary folder; by its age it is known from one at work. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.includes('.unfinished-')) continue;
    const path = join(cacheFolder, name);
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (ageMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}

async function buildOne(piece: Piece, folder: string, log: (line: string) => void): Promise<void> {
  const startMs = Date.now();
  const unfinished = await mkdtemp(`${folder}.unfinished-`);
  try {
    for (const [target, binary] of Object.entries(piece.binaries)) {
      await runCommand(compileArgv(piece, target, join(unfinished, binary)), {
        cwd: join(goFolder, piece.name),
        env: { CGO_ENABLED: piece.cgo === true ? '1' : '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
      });
    }
    const [first = piece.name] = Object.values(piece.binaries);
    for (const link of piece.links ?? []) await symlink(first, join(unfinished, link));
    await finish(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  log(`built ${piece.name} in ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
}

function compileArgv(piece: Piece, target: string, output: string): string[] {
  const tags = piece.tags === undefined ? [] : ['-tags', piece.tags];
  const flags = ['-s -w', piece.linkerFlags].filter(Boolean).join(' ');
  return ['go', 'build', '-mod=readonly', '-trimpath', ...tags, '-ldflags', flags, '-o', output, target];
}

/** Two builders of the same piece may end at once: the one that comes second throws its own away. */
async function finish(unfinished: string, folder: string): Promise<void> {
  try {
    await rename(unfinished, folder);
  } catch (cause) {
    if (!(await exists(folder))) {
      throw new Error(`Cannot put a build into the cache at "${folder}": is it writable?`, { cause });
    }
  }
}
