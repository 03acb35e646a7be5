/** Files → one zstd-compressed layer of an image. Sorted and without times, so that the same files give the same bytes. */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';

/** Where the files of an image belong to nobody in particular, they belong to root. */
export interface ImageFile {
  /** Absolute path inside the image; a folder when `content` is absent. */
  readonly path: string;
  readonly content?: Buffer;
  /** Permission bits; 0o644 for files and 0o755 for folders when absent. */
  readonly mode?: number;
  /** Owner and group; 0 when absent. */
  readonly uid?: number;
}

export interface Layer {
  /** Compressed bytes. */
  readonly blob: Buffer;
  /** Of the compressed bytes, with the prefix sha256:. */
  readonly digest: string;
  /** Of the bytes before compression, with the prefix sha256:. */
  readonly diffId: string;
}

/** Of a program of 100 MB: level 12 takes 7 s and saves what level 9 does not; 19 takes ten times as long for a tenth less. */
const ZSTD_LEVEL = 12;

/** Digest as images write it. */
export function sha256(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Packs `files`, and the folders above them, into a layer. */
export async function makeLayer(files: readonly ImageFile[]): Promise<Layer> {
  const tar = await makeTar(withFolders(files));
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  const blob = await promisify(zstdCompress)(tar, { params });
  return { blob, digest: sha256(blob), diffId: sha256(tar) };
}

/** A plain tar with fixed owners and times, in the given order. */
export async function makeTar(files: readonly ImageFile[]): Promise<Buffer> {
  const tar = pack();
  const whole = buffer(tar);
  for (const { path, content, mode, uid = 0 } of files) {
    const head = { name: path.replace(/^\/+/, ''), mtime: new Date(0), uid, gid: uid };
    if (content === undefined) tar.entry({ ...head, name: `${head.name}/`, type: 'directory', mode: mode ?? 0o755 });
    else tar.entry({ ...head, type: 'file', mode: mode ?? 0o644, size: content.length }, content);
  }
  tar.finalize();
  return whole;
}

function withFolders(files: readonly ImageFile[]): ImageFile[] {
  const all = new Map<string, ImageFile>();
  for (const { path } of files) {
    const parts = path.split('/').filter((part) => part !== '');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = `/${parts.slice(0, depth).join('/')}`;
      all.set(folder, { path: folder });
    }
  }
  for (const file of files) all.set(file.path, file);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
