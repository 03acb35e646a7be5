/** Arguments of `npm start` → what to run. Every wrong argument is named at once. */
import { basename, extname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError, type Problem } from '#contract/finding.ts';

export interface FileRun {
  readonly kind: 'file';
  /** Absolute. */
  readonly file: string;
  /** Absolute; absent: there are no Secrets. */
  readonly secretsDirectory?: string;
  /** Absolute. */
  readonly stateDirectory: string;
  readonly upstreamUrls: ReadonlyMap<string, string>;
}

export type StartOptions =
  | FileRun
  | { readonly kind: 'quickstart'; readonly stateDirectory: string }
  | { readonly kind: 'help' };

export const HELP = `Runs the proxy on this machine, without Kubernetes.

  npm start                    the quick start: crds/examples/quickstart.yaml with a scripted upstream
  npm start -- -f FILE         any StreamProxy; the file is watched, a change takes effect within a second

  -f, --file FILE              YAML file with one StreamProxy
      --secrets DIR            where Secrets lie: the key of a Secret is the file DIR/<name>/<key>; watched as well
      --state DIR              where records and the spool lie (default: .state/<name of the file>)
      --resolve-upstream NAME=URL
                               sends what goes to the upstream NAME to another url than the file's; may be repeated
  -h, --help                   this text

SIGTERM or Ctrl-C: no new requests, those in flight finish, exit code 0. A second one ends them at once.
A wrong file ends the start with exit code 2 and names each wrong field; once it runs, a wrong file is refused and the last good
one stays. Environment: SLUICE_LISTEN_PORT and SLUICE_METRICS_PORT (in place of the file's, 0 = any free one),
SLUICE_LISTEN_HOST (for a gateway) and SLUICE_METRICS_HOST (default 127.0.0.1 here), SLUICE_DRAIN_TIMEOUT_MS, SLUICE_LOG_LEVEL.
`;

const OPTIONS = {
  file: { type: 'string', short: 'f' },
  secrets: { type: 'string' },
  state: { type: 'string' },
  'resolve-upstream': { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * Parses the arguments.
 * @param folder what relative paths are relative to
 * @throws InputError with every problem; `path` is the argument
 */
export function parseOptions(args: readonly string[], folder: string = process.cwd()): StartOptions {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const problems = tokens.flatMap((token) => [
    ...(token.kind === 'option' ? optionProblems(token) : []),
    ...(token.kind === 'positional'
      ? [{ path: token.value, message: `Put -- and -f before the file: npm start -- -f ${token.value}` }]
      : []),
  ]);
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  const upstreamUrls = new Map(
    [values['resolve-upstream'] ?? []].flat().flatMap((entry) => resolution(String(entry), problems)),
  );
  const file = text(values.file);
  if (file === undefined) problems.push(...needsFile(values));
  if (values.help === true) return { kind: 'help' };
  if (problems.length > 0) throw new InputError('Cannot start with these arguments', problems);
  const state = text(values.state);
  const stateDirectory = state === undefined ? resolve(defaultState(file)) : resolve(folder, state);
  if (file === undefined) return { kind: 'quickstart', stateDirectory };
  const secrets = text(values.secrets);
  return {
    kind: 'file',
    file: resolve(folder, file),
    stateDirectory,
    upstreamUrls,
    ...(secrets !== undefined && { secretsDirectory: resolve(folder, secrets) }),
  };
}

function optionProblems({
  name,
  rawName,
  value,
}: {
  name: string;
  rawName: string;
  value?: string | undefined;
}): Problem[] {
  const known: { type: string } | undefined = Object.hasOwn(OPTIONS, name)
    ? OPTIONS[name as keyof typeof OPTIONS]
    : undefined;
  if (!known) {
    const names = Object.keys(OPTIONS).map((option) => `--${option}`);
    return [{ path: rawName, message: `Unknown option; use ${names.join(', ')} (npm start -- --help tells more)` }];
  }
  if (known.type === 'string' && !value) return [{ path: rawName, message: 'A value is missing after it' }];
  return [];
}

/** Files of other names keep their records apart. */
function defaultState(file: string | undefined): string {
  return `.state/${file === undefined ? 'quickstart' : basename(file, extname(file))}`;
}

function needsFile(values: { readonly [option: string]: unknown }): Problem[] {
  return ['secrets', 'resolve-upstream']
    .filter((option) => values[option] !== undefined)
    .map((option) => ({ path: `--${option}`, message: 'Name the StreamProxy that it belongs to with -f FILE' }));
}

function resolution(entry: string, problems: Problem[]): [string, string][] {
  const mark = entry.indexOf('=');
  const [name, url] = [entry.slice(0, mark), entry.slice(mark + 1)];
  if (mark > 0 && /^https?:\/\//.test(url) && URL.canParse(url)) return [[name, url]];
  problems.push({
    path: `--resolve-upstream ${entry}`,
    message: 'Write it as NAME=URL, for example claude=http://127.0.0.1:8080',
  });
  return [];
}
