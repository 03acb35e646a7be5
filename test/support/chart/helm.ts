/** Helm as the chart's tests use it: found on PATH or among the programs that the test cluster has built, never built here. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { cacheFolder, childEnvironment } from '../../cluster/machine/settings.ts';
import { type RunResult, run } from '../cluster/kubectl.ts';

export const CHART = join(import.meta.dirname, '../../../charts/sluice');

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** @returns path of the program; undefined when this machine has none */
export function findHelm(program: 'helm' | 'helm3'): string | undefined {
  const folders = (childEnvironment['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return globSync([...folders.map((folder) => join(folder, program)), join(cacheFolder, `${program}-*`, program)])[0];
}

/** What `helm template` prints as release `sluice` of namespace `sluice-system`. */
export function template(helm: string, args: readonly string[] = []): Promise<RunResult> {
  return run([helm, 'template', 'sluice', CHART, '--namespace', 'sluice-system', '--kube-version', '1.36.0', ...args]);
}

/** The same, parsed; throws what helm printed when it fails. */
export async function render(helm: string, args: readonly string[] = []): Promise<KubeObject[]> {
  const result = await template(helm, args);
  if (result.code !== 0) throw new Error(`helm template failed: ${result.stderr}`);
  return parseObjects(result.stdout);
}

/** Objects of a YAML stream, by kind and name. */
export function parseObjects(text: string): KubeObject[] {
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null);
  return objects.filter((object) => object !== null).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}
