/** Sluice installed on the cluster of the tests: images built and loaded, chart installed; reused by later test files. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuiltImage, buildImage } from '../../../scripts/image/build-image.ts';
import { type Cluster, clusterUp } from '../../cluster/machine/cluster.ts';
import { Kubectl, run } from './kubectl.ts';

export const SYSTEM_NAMESPACE = 'sluice-system';
export const RELEASE = 'sluice';

export interface Installed {
  readonly cluster: Cluster;
  readonly kubectl: Kubectl;
  /** The product's image. */
  readonly product: { readonly image: string; readonly digest: string };
  /** Reference of the image with the test application and the scripted upstream. */
  readonly testImage: string;
}

const ROOT = join(import.meta.dirname, '../../..');

/** Entry points of the test image; its first argument chooses one. */
const TEST_ENTRIES = {
  client: 'test/support/pod-client/main.ts',
  upstream: 'test/support/scripted-upstream/main.ts',
};

/**
 * Brings everything up. Safe to call from every test file: what is there already is kept.
 * @throws ClusterUnavailable when this machine cannot carry a cluster
 */
export async function installed(log: (line: string) => void = () => undefined): Promise<Installed> {
  const cluster = await clusterUp({ log });
  const { product, testImage } = cluster.own ? await builtImages(cluster, log) : pushedImages();
  await installChart(cluster, cluster.helm, { ...product, log });
  return { cluster, kubectl: new Kubectl(cluster.kubectl, cluster.kubeconfig), product, testImage };
}

type Images = Pick<Installed, 'product' | 'testImage'>;

async function builtImages(cluster: Cluster, log: (line: string) => void): Promise<Images> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-images-'));
  try {
    const product = await buildImage({ out: join(folder, 'sluice.tar'), log });
    const application = await buildImage({
      out: join(folder, 'test.tar'),
      name: 'sluice-test',
      entries: TEST_ENTRIES,
      log,
    });
    for (const image of [product, application]) await loadOnce(cluster, image, log);
    return { product: { image: product.reference, digest: product.digest }, testImage: application.reference };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A cluster of the user's own pulls from a registry of the user's own. */
function pushedImages(): Images {
  const { SLUICE_IMAGE: image, SLUICE_TEST_IMAGE: testImage } = process.env;
  if (image === undefined || testImage === undefined) {
    throw new Error(
      'Cannot install on the cluster of SLUICE_KUBECONFIG without images: build them (npm run image, npm run image -- --test), ' +
        'push them, and set SLUICE_IMAGE and SLUICE_TEST_IMAGE to their references',
    );
  }
  return { product: { image, digest: image }, testImage };
}

/** Images are loaded once a cluster: the marker names the cluster's start by its kubeconfig's time of writing. */
async function loadOnce(cluster: Cluster, image: BuiltImage, log: (line: string) => void): Promise<void> {
  const marker = await markerOf(cluster, image.reference);
  if ((await readFile(marker, 'utf8').catch(() => '')) === image.digest) return;
  log(`loading ${image.reference}`);
  await cluster.loadImage(image.tarPath);
  await writeFile(marker, image.digest);
}

async function markerOf(cluster: Cluster, what: string): Promise<string> {
  const { mtimeMs } = await stat(cluster.kubeconfig);
  const key = createHash('sha256').update(`${cluster.kubeconfig} ${mtimeMs} ${what}`).digest('hex').slice(0, 16);
  return join(tmpdir(), `sluice-loaded-${key}`);
}

export interface ChartOptions {
  readonly image: string;
  readonly digest: string;
  readonly log?: (line: string) => void;
  readonly set?: readonly string[];
}

/** Installs or upgrades the chart and waits until the operator is ready. The same values again are left alone. */
export async function installChart(cluster: Cluster, helm: string, options: ChartOptions): Promise<void> {
  const { image, digest, log = () => undefined, set = [] } = options;
  const marker = await markerOf(cluster, 'chart');
  const wanted = JSON.stringify({ digest, set, chart: await chartDigest() });
  const ready = new Kubectl(cluster.kubectl, cluster.kubeconfig);
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted && (await isInstalled(ready))) return;
  log('installing the chart');
  const [repository, tag] = splitReference(image);
  // A hundred pods on one node of two cores: what they ask for must fit.
  const small = ['sidecar.resources.requests.cpu=5m', 'sidecar.resources.requests.memory=48Mi'];
  const values = [
    `image.repository=${repository}`,
    `image.tag=${tag}`,
    'image.pullPolicy=IfNotPresent',
    ...small,
    ...set,
  ];
  const command = [
    helm,
    'upgrade',
    '--install',
    RELEASE,
    join(ROOT, 'charts/sluice'),
    '--kubeconfig',
    cluster.kubeconfig,
  ];
  command.push('--namespace', SYSTEM_NAMESPACE, '--create-namespace', '--wait', '--timeout', '120s');
  for (const value of values) command.push('--set', value);
  // The pod must be made anew when only the image behind the same tag changed.
  command.push(
    '--set',
    `operator.podAnnotations.image-digest=${createHash('sha256').update(digest).digest('hex').slice(0, 16)}`,
  );
  const result = await run(command, { timeoutMs: 180_000 });
  if (result.code !== 0) throw new Error(`Installing the chart failed: ${result.stderr}${result.stdout}`);
  await writeFile(marker, wanted);
}

/** Makes the next installChart() do its work whatever was installed. */
export async function forgetChart(cluster: Cluster): Promise<void> {
  await rm(await markerOf(cluster, 'chart'), { force: true });
}

/** Whether the operator's Deployment is rolled out and ready. */
export async function isInstalled(kubectl: Kubectl): Promise<boolean> {
  const result = await kubectl.try([
    '-n',
    SYSTEM_NAMESPACE,
    'rollout',
    'status',
    'deployment',
    '-l',
    'app.kubernetes.io/name=sluice',
    '--timeout=60s',
  ]);
  return result.code === 0 && result.stdout.includes('successfully');
}

function splitReference(reference: string): [string, string] {
  const at = reference.lastIndexOf(':');
  return [reference.slice(0, at), reference.slice(at + 1)];
}

async function chartDigest(): Promise<string> {
  const result = await run(['find', join(ROOT, 'charts/sluice'), '-type', 'f', '-exec', 'sha256sum', '{}', '+']);
  return createHash('sha256').update(result.stdout.split('\n').sort().join('\n')).digest('hex').slice(0, 16);
}
