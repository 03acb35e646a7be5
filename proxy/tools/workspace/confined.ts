/**
 * Files below one directory, and never outside: paths are walked component by component from an open handle, and a link at any of
 * them ends the walk. Between check and use nothing can be exchanged, as each step starts from the handle of the one before.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Its message may be shown to the model: it names the path as the model gave it. */
export class WorkspaceError extends Error {
  override readonly name = 'WorkspaceError';
}

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const MOST_COMPONENTS = 64;
/** Group-writable: the application and the sidecar share the volume by its fsGroup. */
const FILE_MODE = 0o660;
const DIRECTORY_MODE = 0o770;

/** A place in the tree: an open folder, and how its entries are reached. */
interface Folder {
  readonly handle: FileHandle;
  readonly path: string;
}

/** @param path relative, with `/`; empty or `.`: the directory itself. @throws WorkspaceError */
export function components(path: string): string[] {
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0')) {
    throw new WorkspaceError(`Use a relative path inside the workspace instead of "${path}"`);
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new WorkspaceError(`Use a path without ".." instead of "${path}"`);
  if (parts.length > MOST_COMPONENTS) throw new WorkspaceError(`Use a path of at most ${MOST_COMPONENTS} folders`);
  return parts;
}

export interface Entry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
}

/** Entries of a folder, by name. */
export async function listConfined(root: string, path: string): Promise<Entry[]> {
  return within(root, path, components(path), false, async ({ handle, path: folder }) => {
    const entries = await readdir(process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : folder, {
      withFileTypes: true,
    });
    return entries
      .map(
        (entry): Entry => ({
          name: entry.name,
          kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'other',
        }),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** Reads a plain file's bytes from `offset`, at most `maxBytes`. */
export function readConfined(
  root: string,
  path: string,
  { offset, maxBytes }: { readonly offset: number; readonly maxBytes: number },
): Promise<{ bytes: Buffer; size: number }> {
  return withFile(root, path, O_RDONLY, async (handle) => {
    const { size } = await handle.stat();
    const wanted = Math.max(0, Math.min(maxBytes, size - offset));
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(wanted), 0, wanted, offset);
    return { bytes: buffer.subarray(0, bytesRead), size };
  });
}

/** Writes a whole file; folders on the way are made. */
export function writeConfined(root: string, path: string, bytes: Buffer): Promise<void> {
  return withFile(root, path, O_WRONLY | O_CREAT, async (handle) => {
    await handle.truncate(0);
    // A full volume takes a part first, and says so at the next try.
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
  });
}

async function withFile<T>(
  root: string,
  path: string,
  flags: number,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const parts = components(path);
  const name = parts.pop();
  if (name === undefined) throw new WorkspaceError(`"${path}" is a folder; name a file`);
  return within(root, path, parts, (flags & O_CREAT) !== 0, async (folder) => {
    // Not blocking, as a pipe would wait for its other end.
    const handle = await step(path, () => open(entryOf(folder, name), flags | O_NOFOLLOW | O_NONBLOCK, FILE_MODE));
    try {
      if (!(await handle.stat()).isFile()) throw new WorkspaceError(`"${path}" is no plain file`);
      return await step(path, () => use(handle));
    } finally {
      await handle.close();
    }
  });
}

/** Walks from the root to a folder. */
async function within<T>(
  root: string,
  path: string,
  parts: readonly string[],
  make: boolean,
  use: (folder: Folder) => Promise<T>,
): Promise<T> {
  // The root is the resource's choice, so that it may itself be reached by a link.
  let folder: Folder = { handle: await step(path, () => open(root, O_RDONLY | O_DIRECTORY)), path: root };
  try {
    for (const part of parts) {
      const entry = entryOf(folder, part);
      if (make) await mkdir(entry, { mode: DIRECTORY_MODE }).catch(ignoreExisting);
      const handle = await step(path, () => open(entry, DIRECTORY_FLAGS));
      await folder.handle.close();
      folder = { handle, path: join(folder.path, part) };
    }
    return await step(path, () => use(folder));
  } finally {
    await folder.handle.close();
  }
}

/** By the open folder's own number, so that nobody can exchange a folder on the way; where that is not to be had, by its path. */
function entryOf({ handle, path }: Folder, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${handle.fd}/${name}` : join(path, name);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'leads through something that is no folder, or a link, which is not followed',
  ELOOP: 'is a link, which is not followed',
  EISDIR: 'is a folder; name a file',
  EACCES: 'may not be accessed',
  EPERM: 'may not be accessed',
  EROFS: 'is read-only',
  ENOSPC: 'does not fit: the volume is full',
  ENXIO: 'is no plain file',
  ENAMETOOLONG: 'is too long',
};

/** The system's errors name real paths, which are none of the model's business. */
async function step<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WorkspaceError) throw error;
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new WorkspaceError(`"${path}" ${REASONS[code] ?? `cannot be used: ${code}`}`, { cause: error });
  }
}
