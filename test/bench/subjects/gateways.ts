/**
 * The gateways: programs that read what they pass on. Each has one process, one model on the measured upstream, no
 * authentication, no database, no logs, no telemetry, and a proxy address that leads nowhere for whatever it would ask of
 * the internet. They are installed when they are first measured, into the cache.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, runCommand } from '../folders.ts';
import type { Command, Place, Subject } from './subject.ts';

/** The newest whose dependencies were all to be had. */
const LITELLM_VERSION = '1.106.2';
/** The last that translates with code of its own; 3.x leaves it to a package of its author's that is not published with it. */
const ROUTER_VERSION = '2.0.0';

/** What the gateway's upstream speaks; its clients speak Messages. */
type UpstreamDialect = 'anthropic' | 'openai';

/** Nothing but the measured upstream can be reached; port 9 takes no connections. */
const OFFLINE = {
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
};

const LITELLM_ENV = {
  ...OFFLINE,
  LITELLM_MODE: 'PRODUCTION',
  LITELLM_LOG: 'ERROR',
  LITELLM_LOCAL_MODEL_COST_MAP: 'True',
  LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS: 'True',
  LITELLM_LOCAL_AUTOROUTER_PRESETS: 'True',
  LITELLM_LOCAL_BLOG_POSTS: 'True',
  LITELLM_LOCAL_POLICY_TEMPLATES: 'True',
};

export function litellm(upstream: UpstreamDialect): Subject {
  return {
    name: 'litellm',
    plan: { reader: 'meaning' },
    prepare: (log) => installed('litellm', LITELLM_VERSION, litellmFolder, log),
    command: (place) => litellmCommand(place, upstream),
  };
}

export function claudeCodeRouter(upstream: UpstreamDialect): Subject {
  return {
    name: 'claude-code-router',
    plan: { reader: 'meaning' },
    prepare: (log) => installed('claude-code-router', ROUTER_VERSION, routerFolder, log),
    command: (place) => routerCommand(place, upstream),
  };
}

function litellmFolder(): Promise<string> {
  return cached(`litellm-${LITELLM_VERSION}`, async (folder) => {
    await runCommand(['python3', '-m', 'venv', folder]);
    const pip = [join(folder, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    await runCommand([...pip, '--only-binary', ':all:', `litellm[proxy]==${LITELLM_VERSION}`]);
  });
}

function routerFolder(): Promise<string> {
  return cached(`claude-code-router-${ROUTER_VERSION}`, async (folder) => {
    const npm = ['npm', 'install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
    await runCommand([...npm, `@musistudio/claude-code-router@${ROUTER_VERSION}`]);
  });
}

async function installed(
  name: string,
  version: string,
  folder: () => Promise<string>,
  log: (line: string) => void,
): Promise<string | undefined> {
  const failure = await folder().then(
    () => undefined,
    (error: Error) => error.message.split('\n')[0],
  );
  if (failure === undefined) return version;
  log(`Leaving out ${name}: it cannot be installed (${failure})`);
  return undefined;
}

async function litellmCommand(
  { folder, listenPort, upstreamPort }: Place,
  upstream: UpstreamDialect,
): Promise<Command> {
  const path = join(folder, 'litellm.yaml');
  const base = `http://127.0.0.1:${upstreamPort}`;
  const model =
    upstream === 'openai'
      ? { model: 'openai/gpt-bench', api_base: `${base}/v1` }
      : { model: 'anthropic/claude-sonnet-4-5', api_base: base };
  // JSON is YAML.
  const config = {
    model_list: [{ model_name: 'claude-sonnet-4-5', litellm_params: { ...model, api_key: 'bench-not-a-key' } }],
    litellm_settings: {
      telemetry: false,
      drop_params: true,
      num_retries: 0,
      use_chat_completions_url_for_anthropic_messages: true,
    },
    general_settings: { dangerously_permit_weak_or_unset_master_key: true },
  };
  await writeFile(path, JSON.stringify(config));
  const bin = join(await litellmFolder(), 'bin');
  // The program's own first line names the folder in which it was installed, which has another name since.
  const program = [join(bin, 'python'), join(bin, 'litellm')];
  const options = ['--config', path, '--host', '127.0.0.1', '--port', String(listenPort), '--num_workers', '1'];
  return { argv: [...program, ...options], env: LITELLM_ENV };
}

async function routerCommand({ folder, listenPort, upstreamPort }: Place, upstream: UpstreamDialect): Promise<Command> {
  const model = upstream === 'openai' ? 'gpt-bench' : 'claude-sonnet-4-5';
  const path = upstream === 'openai' ? '/v1/chat/completions' : '/v1/messages';
  const provider = {
    name: 'bench',
    api_base_url: `http://127.0.0.1:${upstreamPort}${path}`,
    api_key: 'bench-not-a-key',
    models: [model],
    ...(upstream === 'anthropic' && { transformer: { use: ['Anthropic'] } }),
  };
  const config = {
    PORT: listenPort,
    HOST: '127.0.0.1',
    LOG: false,
    NON_INTERACTIVE_MODE: true,
    API_TIMEOUT_MS: 600_000,
    Providers: [provider],
    Router: { default: `bench,${model}` },
  };
  await mkdir(join(folder, '.claude-code-router'));
  await writeFile(join(folder, '.claude-code-router/config.json'), JSON.stringify(config));
  const program = join(await routerFolder(), 'node_modules/@musistudio/claude-code-router/dist/cli.js');
  // It keeps everything below the home folder.
  return { argv: [process.execPath, program, 'start'], env: { HOME: folder, ...OFFLINE } };
}
