/** One StreamProxy file, run until a signal: load, start, greet, wait, drain. */
import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { CompiledConfig } from '#contract/compiled.ts';
import { InputError } from '#contract/finding.ts';
import { startProxy } from '../../proxy/app.ts';
import { type FileLoad, type FileSourceOptions, fileSource, loadFile } from '../../proxy/config/file-source.ts';
import { createLogger, type Logger } from '../../proxy/log/logger.ts';
import { makeDirectory } from '../../proxy/log/make-directory.ts';
import { StateHold } from '../../proxy/log/state-hold.ts';
import { readSettings, type Settings } from '../../proxy/settings.ts';
import { greeting } from './greeting.ts';
import type { FileRun } from './options.ts';
import { stopSignals } from './stop-signals.ts';

/** A start that failed for a reason outside of the input; the message is for people. */
export class StartError extends Error {}

export interface Running {
  readonly listenUrl: string;
  readonly metricsUrl: string;
  readonly config: CompiledConfig;
}

/**
 * Runs until SIGTERM or SIGINT.
 * @param hints text to print after the greeting
 * @returns the exit code
 * @throws InputError when the file is wrong; StartError when the machine refuses
 */
export async function runFile(run: FileRun, hints: (running: Running) => string = () => ''): Promise<number> {
  const stop = stopSignals();
  const settingsSoFar = await settingsFor(run);
  let secrets = (): Iterable<string> => [];
  const logger = createLogger({ level: settingsSoFar.logLevel, secrets: () => secrets() });
  const source: FileSourceOptions = {
    file: run.file,
    upstreamUrls: run.upstreamUrls,
    ...(run.secretsDirectory !== undefined && { secretsDirectory: run.secretsDirectory }),
    report: (load) => report(load, run, logger),
  };
  const first = await loadFile(source);
  if (first.kind === 'rejected') throw new InputError('Cannot run the file', named(run, first.problems));
  const { config } = first.loaded;
  const { gateway } = config;
  const settings = { ...settingsSoFar, ...(gateway && { gateway: { tls: gateway.tls !== undefined } }) };
  makeState(run.stateDirectory);
  const hold = holdState(run.stateDirectory);
  const proxy = await startProxy({ source: fileSource(source), settings, logger, hold }).catch((error: unknown) => {
    throw portInUse(error, config, settings) ?? hostRefused(error, settings) ?? error;
  });
  secrets = () => proxy.secrets();
  // A config that parses may still be refused, for a CA that is none: the log says so, and the file may be mended.
  const began = await Promise.race([proxy.ready.then(() => true), stop.first.then(() => false)]);
  const running = {
    listenUrl: `${gateway?.tls ? 'https' : 'http'}://${settings.listenHost}:${proxy.listenPort}`,
    metricsUrl: `http://${settings.metricsHost}:${proxy.metricsPort}`,
    config,
  };
  // Records own the standard output when a target writes there.
  const out = config.logging.targets.some((target) => target.kind === 'stdout') ? process.stderr : process.stdout;
  if (began) {
    out.write(
      `${greeting(running, run)}${hints(running)}\nStop it with Ctrl-C or SIGTERM: exchanges in flight finish first.\n`,
    );
  }
  await stop.first;
  logger.info('Draining', { timeoutMs: settings.drainTimeoutMs });
  await proxy.drain(AbortSignal.any([stop.second, AbortSignal.timeout(settings.drainTimeoutMs)]));
  return 0;
}

async function settingsFor(run: FileRun): Promise<Settings> {
  const { secretsDirectory } = run;
  if (secretsDirectory !== undefined && !(await stat(secretsDirectory).catch(() => undefined))?.isDirectory()) {
    const message = `"${secretsDirectory}" is no folder; make it, and put each key into DIR/<name>/<key>`;
    throw new InputError('Cannot start with these arguments', [{ path: '--secrets', message }]);
  }
  const settings = readSettings({ SLUICE_METRICS_HOST: '127.0.0.1', ...process.env });
  return { ...settings, stateDirectory: run.stateDirectory };
}

function makeState(path: string): void {
  try {
    makeDirectory(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(`Cannot make the state directory "${path}" (${code}); name another one with --state`);
  }
}

function holdState(path: string): StateHold {
  const hold = new StateHold(path);
  if (hold.held) return hold;
  throw new StartError(
    `The state directory "${path}" is in use by another proxy; stop that one, or name another with --state`,
  );
}

/** What is accepted and cannot work all the same is said by whoever starts it; a cluster says it in conditions. */
function report(load: FileLoad, run: FileRun, logger: Logger): void {
  if (load.kind === 'rejected') return;
  const secretsHint =
    run.secretsDirectory === undefined
      ? 'Secrets are read from --secrets DIR, a key from DIR/<name>/<key>.'
      : `Secrets are read from ${run.secretsDirectory}/<name>/<key>.`;
  for (const { path, message, reason, part } of load.findings) {
    const hint = reason.startsWith('Secret') ? ` ${secretsHint}` : '';
    logger.warn(`${path}: ${message}${hint}`, { reason, [part.kind]: part.name });
  }
}

function named(
  run: FileRun,
  problems: readonly { path: string; message: string }[],
): { path: string; message: string }[] {
  const fromHere = relative(process.cwd(), run.file);
  const file = fromHere.startsWith('..') ? run.file : fromHere;
  return problems.map(({ path, message }) => ({ path: path === '' ? file : `${file}: ${path}`, message }));
}

function portInUse(error: unknown, config: CompiledConfig, settings: Settings): StartError | undefined {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return undefined;
  const isMetrics = port === (settings.metricsPort ?? config.metrics.port);
  const variable = isMetrics ? 'SLUICE_METRICS_PORT' : 'SLUICE_LISTEN_PORT';
  const isSet = (isMetrics ? settings.metricsPort : settings.listenPort) !== undefined;
  const field = isSet ? variable : `spec.${isMetrics ? 'metrics' : 'listen'}.port`;
  const why = code === 'EACCES' ? 'may not be used by this user' : 'is in use';
  return new StartError(
    `${field}: Port ${port} ${why}; stop the program that has it, choose another number, or set ${variable}=0 for any free one`,
  );
}

function hostRefused(error: unknown, { listenHost, metricsHost }: Settings): StartError | undefined {
  const { code, hostname, address } = error as NodeJS.ErrnoException & { hostname?: string; address?: string };
  const host = hostname ?? address;
  if (host === undefined || (code !== 'ENOTFOUND' && code !== 'EAI_AGAIN' && code !== 'EADDRNOTAVAIL'))
    return undefined;
  const variable = host === metricsHost && host !== listenHost ? 'SLUICE_METRICS_HOST' : 'SLUICE_LISTEN_HOST';
  return new StartError(
    `${variable}: "${host}" is no address of this machine (${code}); use one that it has, such as 127.0.0.1`,
  );
}
