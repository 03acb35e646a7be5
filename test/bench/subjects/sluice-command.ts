/** Sluice as a measured process: a resource compiled into its config folder, and the command that starts it on that. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from '../../../contract/compile/compile.ts';
import { CONFIG_FILE } from '../../../contract/names.ts';
import type { StreamProxy } from '../../../contract/resources.ts';
import type { SecretFacts } from '../../../contract/secrets.ts';
import { NODE_FLAGS } from '../../../scripts/image/bundle.ts';
import { ROOT } from '../folders.ts';
import type { Command, Place } from './subject.ts';

/** To measure another tree beside this one: SLUICE_BENCH_MAIN=/elsewhere/proxy/main.ts. */
export const MAIN = process.env['SLUICE_BENCH_MAIN'] ?? join(ROOT, 'proxy/main.ts');
/** To try a flag of the runtime beside the image's: SLUICE_BENCH_NODE_FLAGS="--max-semi-space-size=32". */
const FLAGS = (process.env['SLUICE_BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '');

type Spec = StreamProxy['spec'];
/** Secret name → key → value. */
type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What users run: a route by model, metrics, the tap, and every record into a file. */
export function usualSpec({ listenPort, metricsPort, upstreamPort }: Place, more: Partial<Spec> = {}): Spec {
  return {
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
    ...more,
  };
}

/**
 * @param program what Node runs, with its arguments
 * @throws Error when the spec has findings: something else would be measured than what it says
 */
export async function sluiceCommand(
  place: Place,
  spec: Spec,
  program: readonly string[] = [MAIN],
  secrets: Secrets = {},
): Promise<Command> {
  const configDirectory = join(place.folder, 'config');
  const stateDirectory = join(place.folder, 'state');
  await Promise.all([mkdir(configDirectory), mkdir(stateDirectory)]);
  const resource: StreamProxy = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'StreamProxy',
    metadata: { name: 'bench', namespace: 'default' },
    spec,
  };
  const { config, credentials, findings } = compile(resource, factsOf(secrets));
  if (findings.length > 0) throw new Error(`The measured config has findings: ${JSON.stringify(findings)}`);
  for (const { file, name, key } of credentials) {
    await writeFile(join(configDirectory, file), secrets[name]?.[key] ?? '');
  }
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

function factsOf(secrets: Secrets): Map<string, SecretFacts> {
  return new Map(
    Object.entries(secrets).map(([name, data]) => [
      name,
      { exists: true, version: '1', keys: new Set(Object.keys(data)) },
    ]),
  );
}
