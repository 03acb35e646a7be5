/** The process: settings → app → signals → exit code; nothing else. 0: told to stop. 1: the lease was lost, or a failure. 64: unusable environment. */
import { InputError } from '#contract/finding.ts';
import { runOperator } from './app.ts';
import { loadAccess } from './cluster/access.ts';
import { createLogger } from './logger.ts';
import { readSettings, type Settings } from './settings.ts';

const EXIT = { stopped: 0, failed: 1, usage: 64 };

process.exitCode = await main();

async function main(): Promise<number> {
  let settings: Settings;
  try {
    settings = readSettings();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const logger = createLogger('info');
    for (const { path, message } of error.problems) logger.error(message, { variable: path });
    return EXIT.usage;
  }
  const logger = createLogger(settings.logLevel);
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      logger.info('Stopping', { signal: name });
      stopping.abort(new Error(`Received ${name}`));
    });
  }
  const end = await runOperator({ settings, access: loadAccess(), leaseAccess: loadAccess(), logger }, stopping.signal);
  if (end === 'stopped') return EXIT.stopped;
  logger.error('Lost the lease: another operator may lead from now on');
  // At once: whatever still runs here must not go on as if it led.
  process.exit(EXIT.failed);
}
