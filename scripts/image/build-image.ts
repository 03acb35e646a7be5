/** Builds an image without a container engine: the base of Node and its libraries (kept in a cache), and the bundle on top. */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SIDECAR_UID } from '../../contract/names.ts';
import { type ImageConfig, imageArchitecture, makeArchive } from './archive.ts';
import { APP_FOLDER, bundle, type Entries, MAIN_FILE, NODE_FLAGS, PRODUCT_ENTRIES, PRODUCT_WORKERS } from './bundle.ts';
import { type ImageFile, type Layer, makeLayer, sha256 } from './layer.ts';
import { findNodeRuntime, NODE_PATH, type NodeRuntime } from './node-runtime.ts';

export interface BuildImageOptions {
  /** Path of the tar to write; dist/<last part of the name>.tar of the repository when absent. */
  readonly out?: string;
  /** Name without tag; one without a registry gets `localhost/`. The product's own when absent. */
  readonly name?: string;
  /** The package's version when absent. */
  readonly tag?: string;
  /** Command → entry point relative to the repository; the operator and the proxy when absent. */
  readonly entries?: Entries;
  /** Receives one line per step; silent when absent. */
  readonly log?: (line: string) => void;
}

export interface BuiltImage {
  readonly tarPath: string;
  /** Name and tag under which the image is imported. */
  readonly reference: string;
  /** Of the manifest, as registries and kubelets name it. */
  readonly digest: string;
  /** What a node downloads: the compressed layers. */
  readonly compressedBytes: number;
}

const ROOT = join(import.meta.dirname, '../..');
const PRODUCT_NAME = 'ghcr.io/sluice-dev/sluice';

/** Builds the image and writes its tar. */
export async function buildImage(options: BuildImageOptions = {}): Promise<BuiltImage> {
  const { name = PRODUCT_NAME, entries = PRODUCT_ENTRIES, log = () => undefined } = options;
  const reference = `${name.includes('/') ? name : `localhost/${name}`}:${options.tag ?? (await packageVersion())}`;
  const tarPath = options.out ?? join(ROOT, 'dist', `${name.slice(name.lastIndexOf('/') + 1)}.tar`);
  const nodeProgram = join(ROOT, 'node_modules/node/bin/node');
  const runtime = await findNodeRuntime(nodeProgram, cacheFolder());
  const base = await baseLayer(runtime, log);
  const app = await appLayer(entries);
  log(`app layer: ${megabytes(app.blob.length)}`);
  const { tar, digest } = await makeArchive(reference, imageConfig(runtime, reference), [base, app]);
  await mkdir(dirname(tarPath), { recursive: true });
  await writeFile(tarPath, tar);
  return { tarPath, reference, digest, compressedBytes: base.blob.length + app.blob.length };
}

async function appLayer(entries: Entries): Promise<Layer> {
  const bundled = await bundle(ROOT, entries, entries === PRODUCT_ENTRIES ? PRODUCT_WORKERS : {});
  const files: ImageFile[] = bundled.map(({ name, content }) => ({
    path: `${APP_FOLDER}/${name}`,
    content,
  }));
  files.push({ path: `${APP_FOLDER}/LICENSE`, content: await readFile(join(ROOT, 'LICENSE')) });
  return makeLayer(files);
}

/** The base is big and seldom changes, so it is kept beside the facts that it was made of. */
async function baseLayer(runtime: NodeRuntime, log: (line: string) => void): Promise<Layer> {
  const path = join(cacheFolder(), `base-${imageArchitecture()}-${runtime.key}`);
  const diffId = await readFile(`${path}.diff-id`, 'utf8').catch(() => undefined);
  const kept = await readFile(`${path}.tar.zst`).catch(() => undefined);
  if (diffId !== undefined && kept !== undefined) {
    log(`base layer: ${megabytes(kept.length)}, from the cache`);
    return { blob: kept, digest: sha256(kept), diffId };
  }
  log('base layer: compressing Node and its libraries, once');
  const made = await makeLayer(await runtime.files());
  await mkdir(cacheFolder(), { recursive: true });
  await writeWhole(`${path}.tar.zst`, made.blob);
  await writeWhole(`${path}.diff-id`, made.diffId);
  log(`base layer: ${megabytes(made.blob.length)}`);
  return made;
}

/** Another build may read at the same time: the name appears with its whole content. */
async function writeWhole(path: string, content: Buffer | string): Promise<void> {
  await writeFile(`${path}.${process.pid}`, content);
  await chmod(`${path}.${process.pid}`, 0o644);
  await rename(`${path}.${process.pid}`, path);
}

function imageConfig(runtime: NodeRuntime, reference: string): ImageConfig {
  return {
    entrypoint: [NODE_PATH, ...NODE_FLAGS, `${APP_FOLDER}/${MAIN_FILE}`],
    env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
    user: `${SIDECAR_UID}:${SIDECAR_UID}`,
    workingDirectory: APP_FOLDER,
    labels: {
      ...runtime.labels,
      'org.opencontainers.image.title': 'sluice',
      'org.opencontainers.image.version': reference.slice(reference.lastIndexOf(':') + 1),
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}

async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}

function cacheFolder(): string {
  const home = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(process.env['SLUICE_CACHE'] ?? join(home, 'sluice'), 'image');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
