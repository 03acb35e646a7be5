// Files -> an image as a tar that `ctr images import` reads (the docker-archive layout: manifest.json, a
// config, one layer). For small static programs; the product's own image is built elsewhere.
import { createHash } from 'node:crypto';

export interface ImageFile {
  /** Absolute path inside the image. */
  path: string;
  content: Buffer;
  /** Permission bits; 0o755 when absent, as most files here are programs. */
  mode?: number;
}

export interface ImageOptions {
  /** Full name with tag, such as `localhost/pause:1`. */
  name: string;
  entrypoint: readonly string[];
  /** Number or number:number; absent means root. */
  user?: string;
  env?: readonly string[];
}

const blockBytes = 512;

/** Builds the image; the same input gives the same bytes. */
export function buildImageTar(files: readonly ImageFile[], options: ImageOptions): Buffer {
  const layer = tar(files.map((file) => ({ ...file, path: file.path.replace(/^\/+/, '') })));
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Entrypoint: options.entrypoint, User: options.user ?? '', Env: options.env ?? [] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: [options.name], Layers: ['layer.tar'] }];
  return tar([
    { path: configName, content: config, mode: 0o644 },
    { path: 'layer.tar', content: layer, mode: 0o644 },
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)), mode: 0o644 },
  ]);
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function tar(files: readonly ImageFile[]): Buffer {
  const parts = files.flatMap((file) => [
    header(file),
    file.content,
    Buffer.alloc((blockBytes - (file.content.length % blockBytes)) % blockBytes),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
}

/** One header in the ustar format; owner and time stay zero. */
function header(file: ImageFile): Buffer {
  if (Buffer.byteLength(file.path) > 100) {
    throw new RangeError(`Cannot put "${file.path}" into an image: the path is longer than 100 bytes`);
  }
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(file.path, 0);
  block.write(octal(file.mode ?? 0o755, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(file.content.length, 11), 124);
  block.write(octal(0, 11), 136);
  // The checksum is computed as if its own field were eight spaces.
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
