/** Environment → Settings, parsed once, all problems at once. The only file of the proxy that reads process.env. */
import { InputError, type Problem } from '#contract/finding.ts';
import { CONFIG_DIRECTORY, GATEWAY_TOKEN_DIRECTORY, GATEWAY_TOKEN_FILE, STATE_DIRECTORY } from '#contract/names.ts';

export interface Settings {
  /** Mounted directory with config.json and the credential files. */
  readonly configDirectory: string;
  /** Where the spool and `file` targets live. */
  readonly stateDirectory: string;
  /** The loopback, but for gateways. */
  readonly listenHost: string;
  /** Absent: the config's, read once at the start; 0: any free port. */
  readonly listenPort?: number;
  readonly metricsPort?: number;
  readonly metricsHost: string;
  /** Present: this process is a gateway, and executes configs of gateways alone. */
  readonly gateway?: { readonly tls: boolean };
  /** How long a stop waits before it begins, while others still learn that we are going. */
  readonly lingerMs: number;
  /** The token of the pod's service account for gateways. */
  readonly gatewayTokenFile: string;
  /** Longest wait for exchanges in flight after SIGTERM. */
  readonly drainTimeoutMs: number;
  /** The container's termination message, for what is not delivered when the process ends; absent: it is not written. */
  readonly terminationMessageFile?: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Who we run for, for records; what is unknown is absent. */
  readonly workload: { readonly namespace?: string; readonly pod?: string; readonly node?: string };
}

const DEFAULT_DRAIN_TIMEOUT_MS = 25_000;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/**
 * Parses the environment.
 * @throws InputError with every problem; `path` is the variable's name
 */
export function readSettings(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const problems: Problem[] = [];
  const listenPort = readInteger(env, 'SLUICE_LISTEN_PORT', 65_535, problems);
  const metricsPort = readInteger(env, 'SLUICE_METRICS_PORT', 65_535, problems);
  const drainTimeoutMs = readInteger(env, 'SLUICE_DRAIN_TIMEOUT_MS', 3_600_000, problems);
  const lingerMs = readInteger(env, 'SLUICE_LINGER_MS', 60_000, problems);
  const gateway = readGateway(env, problems);
  const logLevel = LOG_LEVELS.find((level) => level === (env['SLUICE_LOG_LEVEL'] || 'info'));
  if (!logLevel) {
    problems.push({
      path: 'SLUICE_LOG_LEVEL',
      message: `Cannot use "${env['SLUICE_LOG_LEVEL']}" as a log level; use one of ${LOG_LEVELS.join(', ')}`,
    });
  }
  if (problems.length > 0) throw new InputError('Cannot start with this environment', problems);
  return {
    configDirectory: env['SLUICE_CONFIG_DIR'] || CONFIG_DIRECTORY,
    stateDirectory: env['SLUICE_STATE_DIR'] || STATE_DIRECTORY,
    listenHost: env['SLUICE_LISTEN_HOST'] || '127.0.0.1',
    ...(gateway && { gateway }),
    lingerMs: lingerMs ?? 0,
    gatewayTokenFile: env['SLUICE_GATEWAY_TOKEN_FILE'] || `${GATEWAY_TOKEN_DIRECTORY}/${GATEWAY_TOKEN_FILE}`,
    ...(listenPort !== undefined && { listenPort }),
    ...(metricsPort !== undefined && { metricsPort }),
    metricsHost: env['SLUICE_METRICS_HOST'] || '0.0.0.0',
    drainTimeoutMs: drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS,
    ...(env['SLUICE_TERMINATION_MESSAGE_FILE'] && { terminationMessageFile: env['SLUICE_TERMINATION_MESSAGE_FILE'] }),
    logLevel: logLevel ?? 'info',
    workload: {
      ...(env['SLUICE_POD_NAMESPACE'] && { namespace: env['SLUICE_POD_NAMESPACE'] }),
      ...(env['SLUICE_POD_NAME'] && { pod: env['SLUICE_POD_NAME'] }),
      ...(env['SLUICE_NODE_NAME'] && { node: env['SLUICE_NODE_NAME'] }),
    },
  };
}

function readGateway(
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): { tls: boolean } | undefined {
  const mode = env['SLUICE_GATEWAY'] || 'off';
  if (mode === 'tls' || mode === 'plaintext') return { tls: mode === 'tls' };
  if (mode !== 'off') {
    problems.push({ path: 'SLUICE_GATEWAY', message: `Cannot use "${mode}"; use tls, plaintext or off` });
  }
  return undefined;
}

/** @returns undefined when the variable is unset or empty, or when it has a problem (which is added to the list) */
function readInteger(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  max: number,
  problems: Problem[],
): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  problems.push({ path: name, message: `Cannot use "${text}" as a whole number; use one from 0 to ${max}` });
  return undefined;
}
