/** Configuration from one StreamProxy file and a folder of secrets, both watched: what the operator does in a cluster, done here. */
import { watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '#contract/compile/compile.ts';
import type { Finding, Problem } from '#contract/finding.ts';
import type { StreamProxy } from '#contract/resources.ts';
import { type SecretRef, secretRefs } from '#contract/secrets.ts';
import { fileVersion, readSecrets, secretFile } from './file-source-secrets.ts';
import { MAX_RESOURCE_BYTES, parseResource } from './parse-resource.ts';
import type { ConfigEvent, ConfigSource, LoadedConfig } from './source.ts';

export interface FileSourceOptions {
  /** The StreamProxy's YAML file. */
  readonly file: string;
  /** A secret's key is `<secretsDirectory>/<name>/<key>`; absent: there are no Secrets. */
  readonly secretsDirectory?: string;
  /** Upstream name → url to use in place of the file's. */
  readonly upstreamUrls?: ReadonlyMap<string, string>;
  /** How often the files are looked at when the file system reports nothing; default 500. */
  readonly pollMs?: number;
  /** How long files must stay the same before they are read, so that half-written ones are not; default 50. */
  readonly settleMs?: number;
  /** Told of each reading that became an event, before the event goes out. */
  readonly report?: (load: FileLoad) => void;
}

export type FileLoad =
  | {
      readonly kind: 'loaded';
      readonly loaded: LoadedConfig;
      readonly findings: readonly Finding[];
    }
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

/** Reads the files once. */
export async function loadFile(options: FileSourceOptions): Promise<FileLoad> {
  return (await read(options)).load;
}

/** @returns a source that says what the files hold, and again on every change of the outcome */
export function fileSource(options: FileSourceOptions): ConfigSource {
  return { events: (signal) => events(options, signal) };
}

async function* events(options: FileSourceOptions, signal: AbortSignal): AsyncGenerator<ConfigEvent> {
  let refs: readonly SecretRef[] = [];
  let last: FileLoad | undefined;
  while (!signal.aborted) {
    const seen = await fingerprint(options, refs);
    const reading = await read(options);
    // References that were not known yet may have changed unseen: look again with them.
    if (reading.refs) refs = reading.refs;
    if (!last || !sameOutcome(last, reading.load)) {
      last = reading.load;
      options.report?.(last);
      yield last.kind === 'loaded' ? { kind: 'loaded', loaded: last.loaded, told: options.report !== undefined } : last;
    }
    await changed(options, refs, seen, signal);
  }
}

/** Waits until the files differ from `seen` and have settled. */
async function changed(
  options: FileSourceOptions,
  refs: readonly SecretRef[],
  seen: string,
  signal: AbortSignal,
): Promise<void> {
  const { pollMs = 500, settleMs = 50 } = options;
  while (!signal.aborted) {
    const now = await fingerprint(options, refs);
    if (now !== seen) {
      await sleep(settleMs, undefined, { signal }).catch(() => undefined);
      if ((await fingerprint(options, refs)) === now) return;
    } else {
      await hint(watchedDirectories(options, refs), pollMs, signal);
    }
  }
}

/** Waits for a word of the file system, for at most `pollMs`: what is watched may be replaced, or lie where nothing is reported. */
async function hint(directories: readonly string[], pollMs: number, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const watchers = directories.flatMap((directory) => {
    try {
      const watcher = watch(directory, () => done.abort());
      return [watcher.on('error', () => undefined)];
    } catch {
      return [];
    }
  });
  await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => undefined);
  for (const watcher of watchers) watcher.close();
}

function watchedDirectories({ file, secretsDirectory }: FileSourceOptions, refs: readonly SecretRef[]): string[] {
  const secrets = secretsDirectory === undefined ? [] : refs.map((ref) => join(secretsDirectory, ref.name));
  return [...new Set([dirname(file), ...(secretsDirectory === undefined ? [] : [secretsDirectory]), ...secrets])];
}

async function fingerprint({ file, secretsDirectory }: FileSourceOptions, refs: readonly SecretRef[]): Promise<string> {
  const secrets = secretsDirectory === undefined ? [] : refs.map((ref) => secretFile(secretsDirectory, ref));
  return (await Promise.all([file, ...secrets].map(fileVersion))).join();
}

async function read(options: FileSourceOptions): Promise<{ load: FileLoad; refs?: readonly SecretRef[] }> {
  const text = await readText(options.file);
  if (typeof text !== 'string') return { load: { kind: 'rejected', problems: [text] } };
  const parsed = await parseResource(text);
  if (parsed.kind === 'problems') return { load: { kind: 'rejected', problems: parsed.problems } };
  const { resource, problems } = withUpstreamUrls(parsed.resource, options.upstreamUrls ?? new Map());
  const refs = secretRefs(resource.spec);
  const secrets = await readSecrets(options.secretsDirectory, refs);
  const broken = [...problems, ...secrets.problems];
  if (broken.length > 0) return { refs, load: { kind: 'rejected', problems: broken } };
  const { config, credentials, findings } = compile(resource, secrets.lookup);
  const values = credentials.map(({ name, key, file }): [string, string] => [
    file,
    secrets.values.get(`${name}/${key}`) ?? '',
  ]);
  return { refs, load: { kind: 'loaded', loaded: { config, credentials: new Map(values) }, findings } };
}

async function readText(file: string): Promise<string | Problem> {
  try {
    const { size } = await stat(file);
    if (size > MAX_RESOURCE_BYTES) {
      return { path: '', message: `The file has ${size} bytes; a StreamProxy may have ${MAX_RESOURCE_BYTES} at most` };
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      path: '',
      message: `Cannot read the file (${code}); name a file that is there and that this user may read`,
    };
  }
}

function withUpstreamUrls(
  resource: StreamProxy,
  urls: ReadonlyMap<string, string>,
): { resource: StreamProxy; problems: Problem[] } {
  const known = resource.spec.upstreams.map((upstream) => upstream.name);
  const problems = [...urls.keys()]
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: `--resolve-upstream ${name}`,
      message: `"${name}" is no entry of spec.upstreams; use one of ${known.map((k) => `"${k}"`).join(', ')}`,
    }));
  const upstreams = resource.spec.upstreams.map(({ replay, ...upstream }) => {
    const url = urls.get(upstream.name) ?? upstream.url;
    return { ...upstream, ...(url === undefined ? replay && { replay } : { url }) };
  });
  return { resource: { ...resource, spec: { ...resource.spec, upstreams } }, problems };
}

/** The revision covers the config and the credentials' versions; findings follow from the same input. */
function sameOutcome(a: FileLoad, b: FileLoad): boolean {
  if (a.kind === 'loaded' && b.kind === 'loaded') return a.loaded.config.revision === b.loaded.config.revision;
  return a.kind === 'rejected' && b.kind === 'rejected' && JSON.stringify(a) === JSON.stringify(b);
}
