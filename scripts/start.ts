/** `npm start`: the proxy without Kubernetes. Without arguments the quick start with a scripted upstream, with `-f FILE` any StreamProxy. */
import { InputError } from '#contract/finding.ts';
import { HELP, parseOptions } from './start/options.ts';
import { quickstart } from './start/quickstart.ts';
import { runFile, StartError } from './start/run-file.ts';

/** Wrong arguments and files: what sysexits and most tools call a usage error. */
const WRONG_INPUT = 2;

async function main(): Promise<number> {
  // npm runs its scripts in the project's folder, but a person means the folder that they are in.
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env;
  const options = parseOptions(process.argv.slice(2), script === 'start' ? folder : undefined);
  switch (options.kind) {
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case 'quickstart':
      return quickstart(options);
    case 'file':
      return runFile(options);
  }
}

try {
  process.exit(await main());
} catch (error) {
  if (error instanceof InputError) {
    for (const { path, message } of error.problems) console.error(path === '' ? message : `${path}: ${message}`);
    process.exit(WRONG_INPUT);
  }
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exit(1);
}
