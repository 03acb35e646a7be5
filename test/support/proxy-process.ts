/** The proxy as a real process on a config directory of its own; what it says of itself is read from its own output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compile } from '../../contract/compile/compile.ts';
import { CONFIG_FILE } from '../../contract/names.ts';
import type { StreamProxy } from '../../contract/resources.ts';
import type { SecretFacts } from '../../contract/secrets.ts';
import type { TokenKeys } from '../../contract/token-keys.ts';

const MAIN = join(import.meta.dirname, '../../proxy/main.ts');

export type Spec = StreamProxy['spec'];
/** Secret name → key → value. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The fields of a record that tests look at. */
export interface SeenRecord {
  readonly id: string;
  readonly exchange: string;
  readonly hop: string;
  readonly caller?: { readonly client: string; readonly serviceAccount?: string; readonly pod?: string };
  readonly chained?: boolean;
  readonly route?: string;
  readonly upstream?: string;
  readonly status: number;
  readonly end: string;
  readonly side?: string;
  readonly detail?: string;
  readonly attempts: readonly { readonly upstream: string; readonly outcome: string; readonly status?: number }[];
}

export interface ProxyOptions {
  readonly secrets?: Secrets;
  readonly env?: Readonly<Record<string, string>>;
  /** The cluster's, for gateways. */
  readonly tokenKeys?: TokenKeys;
  /** Start without any config. */
  readonly bare?: boolean;
}

export class ProxyProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #records: SeenRecord[] = [];
  readonly #lines: Record<string, unknown>[] = [];
  #wake: (() => void)[] = [];
  #exitCode: number | null | undefined;
  #revision = 0;
  listenPort = 0;
  metricsPort = 0;
  readonly exited: Promise<number | null>;

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
    this.exited = once(child, 'exit').then(([code]) => {
      this.#exitCode = code as number | null;
      this.#notify();
      return this.#exitCode;
    });
    this.#read(child.stdout, this.#records);
    this.#read(child.stderr, this.#lines);
  }

  /** Starts the proxy; resolves when both ports accept, and, unless `bare`, a config is in force. */
  static async start(
    spec: Spec,
    { secrets = {}, env = {}, bare = false, tokenKeys }: ProxyOptions = {},
  ): Promise<ProxyProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    if (!bare) await writeConfig(directory, spec, secrets, 1, tokenKeys);
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        SLUICE_CONFIG_DIR: directory,
        SLUICE_STATE_DIR: directory,
        SLUICE_LISTEN_PORT: '0',
        SLUICE_METRICS_PORT: '0',
        SLUICE_METRICS_HOST: '127.0.0.1',
        ...env,
      },
    });
    const proxy = new ProxyProcess(child, directory);
    proxy.#revision = 1;
    const listening = await proxy.logged((line) => line['message'] === 'Listening');
    proxy.listenPort = listening['listenPort'] as number;
    proxy.metricsPort = listening['metricsPort'] as number;
    if (!bare) await proxy.logged((line) => line['message'] === 'Config in force');
    return proxy;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get directory(): string {
    return this.#directory;
  }

  /** Everything that it wrote, for tests that look for what must not be there. */
  get output(): string {
    return JSON.stringify([this.#records, this.#lines]);
  }

  /** Its own log alone, without records. */
  get ownLog(): string {
    return JSON.stringify(this.#lines);
  }

  /** Delivers another config and waits until it is in force. */
  async apply(spec: Spec, secrets: Secrets = {}, tokenKeys?: TokenKeys): Promise<void> {
    this.#revision += 1;
    const seen = this.#lines.length;
    const revision = await writeConfig(this.#directory, spec, secrets, this.#revision, tokenKeys);
    await this.logged(
      (line) =>
        line['message'] === 'Config in force' &&
        line['revision'] === revision &&
        // The same config may have been in force before.
        this.#lines.indexOf(line) >= seen,
    );
  }

  /** The first line of its own log, past or to come, that satisfies. */
  logged(satisfies: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return this.#first(this.#lines, satisfies);
  }

  /** The first record, past or to come, that satisfies. */
  record(satisfies: (record: SeenRecord) => boolean = () => true): Promise<SeenRecord> {
    return this.#first(this.#records, satisfies);
  }

  /** Takes the next record, so that the one after it can be waited for. */
  async takeRecord(): Promise<SeenRecord> {
    await this.record();
    return this.#records.shift() as SeenRecord;
  }

  async admin(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.metricsPort}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it at once and removes what it left. */
  async stop(): Promise<void> {
    if (this.#exitCode === undefined) {
      this.#child.kill('SIGKILL');
      await this.exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #first<T>(list: readonly T[], satisfies: (entry: T) => boolean): Promise<T> {
    for (;;) {
      const found = list.find(satisfies);
      if (found !== undefined) return found;
      if (this.#exitCode !== undefined) throw new Error(`The proxy ended (${this.#exitCode}): ${this.output}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #read(stream: NodeJS.ReadableStream | null, list: unknown[]): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      try {
        list.push(JSON.parse(line));
      } catch {
        list.push({ message: line });
      }
      this.#notify();
    });
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Writes what the operator would deliver. @returns the revision */
export async function writeConfig(
  directory: string,
  spec: Spec,
  secrets: Secrets,
  version: number,
  tokenKeys?: TokenKeys,
): Promise<string> {
  const facts = Object.entries(secrets).map(([name, data]): [string, SecretFacts] => [
    name,
    { exists: true, version: `${version}:${JSON.stringify(data)}`, keys: new Set(Object.keys(data)) },
  ]);
  const logging = { targets: [{ name: 'stdout', stdout: {} }], ...spec.logging };
  const resource: StreamProxy = {
    metadata: { name: 'llm', namespace: 'test', generation: version },
    spec: { ...spec, logging },
  };
  const { config, credentials } = compile(resource, new Map(facts), tokenKeys);
  for (const { file, name, key } of credentials) await writeFile(join(directory, file), secrets[name]?.[key] ?? '');
  const unfinished = join(directory, '.config.json.new');
  await writeFile(unfinished, JSON.stringify(config));
  await rename(unfinished, join(directory, CONFIG_FILE));
  return config.revision;
}

/** One upstream and one route that takes everything. */
export function simpleSpec(url: string, more: Partial<Spec['upstreams'][number]> = {}): Spec {
  return {
    upstreams: [{ name: 'up', dialect: 'anthropic', url, ...more }],
    routes: [{ name: 'all', upstreams: [{ name: 'up' }] }],
  };
}

/** A request of the Messages API, framed by its length. */
export function messagesRequest(body = '{"model":"claude-x","stream":true}', headers = ''): string {
  return post('/v1/messages', body, headers);
}

export function post(path: string, body: string, headers = ''): string {
  const length = Buffer.byteLength(body);
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${headers}\r\n${body}`;
}
