/** Sluice, from its sources and as the bundle that the image carries, and the least relay on the same two libraries. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from '../../../contract/compile/compile.ts';
import { CONFIG_FILE } from '../../../contract/names.ts';
import type { StreamProxy } from '../../../contract/resources.ts';
import { bundle, MAIN_FILE, NODE_FLAGS, PRODUCT_ENTRIES, PRODUCT_WORKERS } from '../../../scripts/image/bundle.ts';
import { CACHE, ROOT } from '../folders.ts';
import type { Command, Place, Subject } from './subject.ts';

/** To measure another tree beside this one: SLUICE_BENCH_MAIN=/elsewhere/proxy/main.ts. */
const MAIN = process.env['SLUICE_BENCH_MAIN'] ?? join(ROOT, 'proxy/main.ts');
/** Written anew before each measurement, with what the image would hold. */
const BUNDLE = join(CACHE, 'bench-bundle');
/** To try a flag of the runtime beside the image's: SLUICE_BENCH_NODE_FLAGS="--max-semi-space-size=32". */
const FLAGS = (process.env['SLUICE_BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');

export const undiciRelay: Subject = {
  name: 'undici-relay',
  prepare: async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'node_modules/undici/package.json'), 'utf8')) as {
      version: string;
    };
    return `undici ${version}`;
  },
  command: async ({ listenPort, upstreamPort }) => ({
    argv: [
      process.execPath,
      join(import.meta.dirname, '../relay.ts'),
      String(listenPort),
      `http://127.0.0.1:${upstreamPort}`,
    ],
  }),
};

export const sluice: Subject = {
  name: 'sluice',
  prepare: async (log) => {
    const there = await readFile(MAIN).then(
      () => true,
      () => false,
    );
    if (!there) log('Leaving out sluice: proxy/main.ts is not there');
    return there ? 'from sources' : undefined;
  },
  command: (place) => proxyCommand(place, MAIN),
};

export const sluiceBundle: Subject = {
  name: 'sluice-bundle',
  prepare: async (log) => {
    const failure = await writeBundle().catch((error: Error) => error);
    if (failure) log(`Leaving out sluice-bundle: ${failure.message.split('\n')[0]}`);
    return failure ? undefined : 'as the image carries it';
  },
  command: (place) => proxyCommand(place, join(BUNDLE, MAIN_FILE), 'proxy'),
};

async function writeBundle(): Promise<void> {
  await mkdir(BUNDLE, { recursive: true });
  for (const { name, content } of await bundle(ROOT, PRODUCT_ENTRIES, PRODUCT_WORKERS)) {
    await writeFile(join(BUNDLE, name), content);
  }
}

async function proxyCommand(place: Place, ...program: string[]): Promise<Command> {
  const configDirectory = join(place.folder, 'config');
  const stateDirectory = join(place.folder, 'state');
  await Promise.all([mkdir(configDirectory), mkdir(stateDirectory)]);
  const { config, findings } = compile(resource(place), new Map());
  if (findings.length > 0) throw new Error(`The measured config has findings: ${JSON.stringify(findings)}`);
  await writeFile(join(configDirectory, CONFIG_FILE), JSON.stringify(config));
  return {
    argv: [process.execPath, ...NODE_FLAGS, ...FLAGS, ...program],
    env: {
      SLUICE_CONFIG_DIR: configDirectory,
      SLUICE_STATE_DIR: stateDirectory,
      SLUICE_LISTEN_PORT: String(place.listenPort),
      SLUICE_METRICS_PORT: String(place.metricsPort),
      SLUICE_METRICS_HOST: '127.0.0.1',
      SLUICE_LOG_LEVEL: 'warn',
    },
    readyPath: '/readyz',
  };
}

/** What users run: a route by model, metrics, the tap, and every record into a file. */
function resource({ listenPort, metricsPort, upstreamPort }: Place): StreamProxy {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'bench', namespace: 'default' },
    spec: {
      listen: { port: listenPort },
      metrics: { port: metricsPort },
      upstreams: [
        {
          name: 'upstream',
          dialect: 'anthropic',
          url: `http://127.0.0.1:${upstreamPort}`,
          credentials: [{ client: {} }],
        },
      ],
      routes: [
        { name: 'claude', match: { paths: ['/v1/messages'], models: ['claude-*'] }, upstreams: [{ name: 'upstream' }] },
        { name: 'rest', upstreams: [{ name: 'upstream' }] },
      ],
      logging: { targets: [{ name: 'records', file: { path: 'records.ndjson' } }] },
    },
  };
}
