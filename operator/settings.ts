/** Environment → Settings, parsed once, all problems at once. The only file of the operator that reads process.env. */
import { hostname } from 'node:os';
import { InputError, type Problem } from '#contract/finding.ts';
import type { SidecarSettings } from './inject/sidecar.ts';
import { LOG_LEVELS, type LogLevel } from './logger.ts';

export interface Settings {
  readonly sidecar: SidecarSettings;
  /** Namespaces whose resources are served; empty: all. */
  readonly watchNamespaces: readonly string[];
  /** Where we run ourselves: the lease and the self-test lie there. */
  readonly podNamespace: string;
  /** Our identity in the lease and in events. */
  readonly podName: string;
  readonly metricsPort: number;
  readonly leaderElection: boolean;
  readonly logLevel: LogLevel;
  /** Resources that are reconciled at the same time. */
  readonly workers: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;
const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Parses the environment.
 * @throws InputError with every problem; `path` is the variable's name
 */
export function readSettings(env: Environment = process.env): Settings {
  const read = new Reader(env);
  const settings: Settings = {
    sidecar: {
      image: read.text(
        'SLUICE_SIDECAR_IMAGE',
        /^[^\s]{1,512}$/,
        undefined,
        'an image such as registry.example/sluice:1.0',
      ),
      imagePullPolicy: read.choice('SLUICE_SIDECAR_IMAGE_PULL_POLICY', PULL_POLICIES, 'IfNotPresent'),
      resources: readResources(read),
    },
    watchNamespaces: read.list('SLUICE_WATCH_NAMESPACES', NAMESPACE, 'namespaces, separated by commas'),
    podNamespace: read.text('POD_NAMESPACE', NAMESPACE, undefined, 'the namespace that the operator runs in'),
    podName: read.text('POD_NAME', /^[a-z0-9.-]{1,253}$/, hostname().toLowerCase(), 'the name of our pod'),
    metricsPort: read.integer('SLUICE_METRICS_PORT', 9090, 0, 65_535),
    leaderElection: read.choice('SLUICE_LEADER_ELECTION', ['true', 'false'], 'true') === 'true',
    logLevel: read.choice('SLUICE_LOG_LEVEL', LOG_LEVELS, 'info'),
    workers: read.integer('SLUICE_WORKERS', 8, 1, 64),
  };
  if (read.problems.length > 0) throw new InputError('Cannot start with this environment', read.problems);
  return settings;
}

/** An empty limit means none: a sidecar that is throttled adds latency, so the CPU has no limit unless asked for. */
function readResources(read: Reader): SidecarSettings['resources'] {
  const quantity = (name: string, fallback: string) =>
    read.text(name, QUANTITY, fallback, 'a quantity such as 100m or 256Mi');
  const cpuLimit = quantity('SLUICE_SIDECAR_CPU_LIMIT', '');
  const memoryLimit = quantity('SLUICE_SIDECAR_MEMORY_LIMIT', '256Mi');
  return {
    requests: {
      cpu: quantity('SLUICE_SIDECAR_CPU_REQUEST', '20m'),
      memory: quantity('SLUICE_SIDECAR_MEMORY_REQUEST', '96Mi'),
    },
    limits: { ...(cpuLimit && { cpu: cpuLimit }), ...(memoryLimit && { memory: memoryLimit }) },
  };
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** @param fallback used when the variable is unset or empty; undefined: it must be set */
  text(name: string, form: RegExp, fallback: string | undefined, expected: string): string {
    const value = this.#env[name];
    if (value === undefined || value === '') {
      if (fallback === undefined) this.#problem(name, `Cannot do without ${name}; set it to ${expected}`);
      return fallback ?? '';
    }
    if (!form.test(value)) this.#problem(name, `Cannot use "${value}"; use ${expected}`);
    return value;
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.#env[name] || fallback;
    const chosen = choices.find((choice) => choice === value);
    if (!chosen) this.#problem(name, `Cannot use "${value}"; use one of ${choices.join(', ')}`);
    return chosen ?? fallback;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.#env[name] || String(fallback);
    const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.#problem(name, `Cannot use "${text}" as a whole number; use one from ${min} to ${max}`);
    return fallback;
  }

  list(name: string, form: RegExp, expected: string): string[] {
    const entries = (this.#env[name] ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    for (const entry of entries) {
      if (!form.test(entry)) this.#problem(name, `Cannot use "${entry}"; use ${expected}`);
    }
    return [...new Set(entries)];
  }

  #problem(path: string, message: string): void {
    this.problems.push({ path, message });
  }
}
