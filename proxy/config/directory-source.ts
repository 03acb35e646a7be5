/**
 * The mounted directory as a config source: config.json and the credential files beside it. Kubelet swaps the whole
 * directory by one symlink (`..data`); whatever is read here is read behind that link, so no two versions are mixed.
 */
import { hash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledConfig } from '#contract/compiled.ts';
import { isNetworkTarget, targetFiles } from '#contract/compiled-targets.ts';
import { CONFIG_FILE, GATEWAY_TOKEN_FILE } from '#contract/names.ts';
import { parseCompiledText } from '#contract/parse-compiled.ts';
import type { ConfigEvent, ConfigSource } from './source.ts';

export interface DirectoryOptions {
  /** How often the content is compared even if no event came: events get lost on some file systems. @default 2000 */
  readonly pollMs?: number;
  /** The token of the pod's service account for gateways; read only where an upstream asks for it. */
  readonly gatewayTokenFile?: string;
}

/** A change of several files comes as several events. */
const SETTLE_MS = 20;

export function directorySource(
  directory: string,
  { pollMs = 2_000, gatewayTokenFile }: DirectoryOptions = {},
): ConfigSource {
  return {
    async *events(signal: AbortSignal): AsyncIterable<ConfigEvent> {
      const changes = new Changes(directory, pollMs, signal);
      let seen = '';
      try {
        while (!signal.aborted) {
          const { event, fingerprint } = await readDirectory(directory, gatewayTokenFile);
          if (fingerprint !== seen) {
            seen = fingerprint;
            yield event;
          }
          await changes.next();
        }
      } finally {
        changes.close();
      }
    },
  };
}

/** Wakes whoever waits: at an event of the directory, after `pollMs`, or at the end. */
class Changes {
  readonly #directory: string;
  readonly #pollMs: number;
  readonly #signal: AbortSignal;
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(directory: string, pollMs: number, signal: AbortSignal) {
    this.#directory = directory;
    this.#pollMs = pollMs;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    this.#watch();
  }

  async next(): Promise<void> {
    // The directory may appear, or be replaced, at any time.
    if (!this.#watcher) this.#watch();
    if (!this.#changed && !this.#signal.aborted) await this.#sleep(this.#pollMs);
    const settles = this.#changed;
    this.#changed = false;
    if (settles && !this.#signal.aborted) await this.#sleep(SETTLE_MS);
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#directory, () => {
        this.#changed = true;
        this.#wake?.();
      });
      this.#watcher.on('error', () => this.close());
    } catch {
      this.#watcher = undefined;
    }
  }
}

async function readDirectory(
  directory: string,
  gatewayTokenFile: string | undefined,
): Promise<{ event: ConfigEvent; fingerprint: string }> {
  const base = await realpath(join(directory, '..data')).catch(() => directory);
  const text = await readText(join(base, CONFIG_FILE));
  if (text === undefined)
    return rejected('', `No "${CONFIG_FILE}" in "${directory}" yet; it is delivered by the operator`);
  const parsed = parseCompiledText(text);
  if (!parsed.ok) {
    return { event: { kind: 'rejected', problems: parsed.problems }, fingerprint: fingerprintOf([text]) };
  }
  const credentials = new Map<string, string>();
  for (const file of filesOf(parsed.config)) {
    const value = await readText(join(base, file));
    // An editor's or kubectl's trailing newline is no part of a key.
    if (value !== undefined) credentials.set(file, value.replace(/\r?\n$/, ''));
  }
  if (gatewayTokenFile !== undefined && asksForToken(parsed.config)) {
    // The kubelet renews it in place; a new one is a new config here, under the same revision.
    const token = (await readText(gatewayTokenFile))?.trim();
    if (token) credentials.set(GATEWAY_TOKEN_FILE, token);
  }
  return {
    event: { kind: 'loaded', loaded: { config: parsed.config, credentials } },
    fingerprint: fingerprintOf([text, ...[...credentials].flat()]),
  };
}

function rejected(path: string, message: string): { event: ConfigEvent; fingerprint: string } {
  return { event: { kind: 'rejected', problems: [{ path, message }] }, fingerprint: fingerprintOf([message]) };
}

function asksForToken({ upstreams }: CompiledConfig): boolean {
  return upstreams.some(
    (upstream) =>
      upstream.kind === 'valid' && upstream.credentials.some((source) => source.kind === 'serviceAccountToken'),
  );
}

/** Every file beside config.json that the config names. */
function filesOf(config: CompiledConfig): Set<string> {
  const files = new Set<string>();
  for (const upstream of config.upstreams) {
    if (upstream.kind === 'invalid') continue;
    if (upstream.caFile !== undefined) files.add(upstream.caFile);
    const { clientCertificate } = upstream;
    if (clientCertificate) files.add(clientCertificate.certFile).add(clientCertificate.keyFile);
    for (const source of upstream.credentials) if (source.kind === 'secret') files.add(source.file);
  }
  for (const target of config.logging.targets.filter(isNetworkTarget)) {
    for (const file of targetFiles(target)) files.add(file);
  }
  for (const route of config.routes) {
    if (route.kind === 'invalid' || !route.toolLoop) continue;
    const { http, mcpServers } = route.toolLoop;
    for (const { credential } of [...http, ...mcpServers]) if (credential) files.add(credential.file);
  }
  const { tls, clients = [] } = config.gateway ?? {};
  if (tls) files.add(tls.certFile).add(tls.keyFile);
  for (const client of clients) if (client.kind === 'secret') files.add(client.file);
  return files;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

function fingerprintOf(parts: readonly string[]): string {
  return hash('sha256', JSON.stringify(parts));
}
