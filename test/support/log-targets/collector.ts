/** An OpenTelemetry Collector of one test file: built once from its Go modules, takes OTLP over HTTP, tells what it has taken. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cachedFolder } from './cache-folder.ts';
import { freePort } from './free-port.ts';
import { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, 'collector');
/** Generous: two busy cores take some minutes, the first time. */
const BUILD_TIMEOUT_MS = 1_200_000;

export interface CollectedValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface KeyValue {
  readonly key: string;
  readonly value: CollectedValue;
}

export interface CollectedLog {
  readonly timeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: CollectedValue;
  readonly attributes: readonly KeyValue[];
}

/** A request as the collector understood it, in OTLP's JSON. */
export interface Collected {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeLogs: readonly {
      readonly scope: { readonly name: string };
      readonly logRecords: readonly CollectedLog[];
    }[];
  }[];
}

export interface Collector {
  readonly url: string;
  /** Every request that was taken so far. */
  readonly requests: readonly Collected[];
  /** Resolves when so many requests were taken in all. */
  taken(count: number): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Path of the program; undefined when there is no Go. */
export async function collectorProgram(): Promise<string | undefined> {
  const version = await run('go', ['env', 'GOVERSION']).catch(() => undefined);
  if (version === undefined) return undefined;
  const files = await Promise.all(['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(SOURCE, name), 'utf8')));
  const folder = await cachedFolder('collector', [version.stdout, process.arch, ...files], (into) =>
    run('go', ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', join(into, 'collector'), '.'], {
      cwd: SOURCE,
      timeout: BUILD_TIMEOUT_MS,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    }),
  );
  return join(folder, 'collector');
}

/** @param receiver settings of its receiver over HTTP, such as `max_request_body_size` */
export async function startCollector(
  program: string,
  receiver: Readonly<Record<string, unknown>> = {},
): Promise<Collector> {
  const port = await freePort();
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}`, ...receiver } } } },
    exporters: { lines: {} },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { logs: { receivers: ['otlp'], exporters: ['lines'] } },
    },
  };
  const server = new ServerProcess({
    command: program,
    args: [`yaml:${JSON.stringify(config)}`],
    ready: /Everything is ready/,
    stdout: true,
  });
  const requests: Collected[] = [];
  let changed = Promise.withResolvers<void>();
  await server.start();
  if (server.stdout === undefined) throw new Error('The collector has no standard output');
  createInterface({ input: server.stdout }).on('line', (line) => {
    requests.push(JSON.parse(line) as Collected);
    changed.resolve();
    changed = Promise.withResolvers();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async taken(count) {
      while (requests.length < count) await changed.promise;
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}
