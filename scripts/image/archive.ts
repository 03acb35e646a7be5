/** Layers → the tar of an image: an OCI layout that containerd, podman and skopeo read, with Docker's own manifest.json beside it. */
import { type Layer, makeTar, sha256 } from './layer.ts';

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly env: readonly string[];
  /** User and group, as numbers, so that runAsNonRoot can be checked. */
  readonly user: string;
  readonly workingDirectory: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Archive {
  readonly tar: Buffer;
  /** Of the image's manifest, with the prefix sha256:. */
  readonly digest: string;
}

const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+zstd';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
/** No clock, so that the same sources give the same digest. */
const LONG_AGO = '1970-01-01T00:00:00Z';

/** Processor names as images write them. */
export function imageArchitecture(): 'amd64' | 'arm64' {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/** @param reference full name with tag under which the image is imported */
export async function makeArchive(reference: string, config: ImageConfig, layers: readonly Layer[]): Promise<Archive> {
  const configBlob = imageConfigBlob(config, layers);
  const manifest = json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(CONFIG_TYPE, configBlob),
    layers: layers.map((layer) => descriptor(LAYER_TYPE, layer.blob)),
  });
  const docker = json([
    {
      Config: blobPath(sha256(configBlob)),
      RepoTags: [reference],
      Layers: layers.map((layer) => blobPath(layer.digest)),
    },
  ]);
  const blobs = [configBlob, manifest, ...layers.map((layer) => layer.blob)];
  const tar = await makeTar([
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: indexOf(reference, manifest) },
    { path: 'manifest.json', content: docker },
    ...blobs.map((content) => ({ path: blobPath(sha256(content)), content })),
  ]);
  return { tar, digest: sha256(manifest) };
}

function imageConfigBlob(config: ImageConfig, layers: readonly Layer[]): Buffer {
  return json({
    architecture: imageArchitecture(),
    os: 'linux',
    created: LONG_AGO,
    config: {
      User: config.user,
      Env: config.env,
      Entrypoint: config.entrypoint,
      WorkingDir: config.workingDirectory,
      Labels: config.labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: LONG_AGO, created_by: 'sluice scripts/image' })),
  });
}

/** The annotations are where importers find the name. */
function indexOf(reference: string, manifest: Buffer): Buffer {
  const annotations = {
    'io.containerd.image.name': reference,
    'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
  };
  const platform = { architecture: imageArchitecture(), os: 'linux' };
  return json({
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [{ ...descriptor(MANIFEST_TYPE, manifest), platform, annotations }],
  });
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function descriptor(mediaType: string, content: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: sha256(content), size: content.length };
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
