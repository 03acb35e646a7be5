/** The process of the sidecar: settings → app → signals → drain → exit code; nothing else. */
import { InputError } from '#contract/finding.ts';
import { startProxy } from './app.ts';
import { directorySource } from './config/directory-source.ts';
import { createLogger } from './log/logger.ts';
import { tellFailure } from './log/termination-message.ts';
import { readSettings, type Settings } from './settings.ts';

/** sysexits.h: EX_USAGE, and what a shell reports for a process that SIGTERM ended. */
const EXIT_USAGE = 64;
const EXIT_FAILURE = 1;
const EXIT_TERMINATED = 143;

function settingsOrExit(): Settings {
  try {
    return readSettings();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_USAGE);
  }
}

const settings = settingsOrExit();
let secrets = (): Iterable<string> => [];
const logger = createLogger({ level: settings.logLevel, secrets: () => secrets() });

const { configDirectory, gatewayTokenFile } = settings;
const source = directorySource(configDirectory, { gatewayTokenFile });

try {
  const proxy = await startProxy({ source, settings, logger });
  secrets = () => proxy.secrets();
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(EXIT_TERMINATED);
    stopping = true;
    logger.info('Draining', { signal, timeoutMs: settings.drainTimeoutMs });
    void proxy.drain(AbortSignal.timeout(settings.drainTimeoutMs)).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error('Drain failed', { error: String(error) });
        process.exit(EXIT_FAILURE);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  logger.error('Start failed', { error: reason });
  tellFailure(settings.terminationMessageFile, reason);
  process.exit(EXIT_FAILURE);
}
