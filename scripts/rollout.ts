/** `npm run rollout -- NAME --route R --to green=100`: shifts a route between upstreams, and waits until every sidecar runs it. */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { StreamProxy } from '#contract/resources.ts';
import { parseWeights, planRollout } from './rollout/plan.ts';

const HELP = `Shifts a route of a StreamProxy between upstreams; streams in flight finish where they are.

  npm run rollout -- NAME --route ROUTE --to UPSTREAM=WEIGHT[,UPSTREAM=WEIGHT…]

  -n, --namespace NAMESPACE    of the StreamProxy (default: kubectl's)
      --kubectl PROGRAM        the kubectl to use (default: kubectl)
      --timeout SECONDS        how long to wait until every sidecar runs it (default: 60)

Upstreams of the route that are not named get weight 0 and stay in it: the way back is the same command.
`;
const EXIT_USAGE = 2;
const ASK_EVERY_MS = 250;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    route: { type: 'string', default: '' },
    to: { type: 'string', default: '' },
    namespace: { type: 'string', short: 'n' },
    kubectl: { type: 'string', default: 'kubectl' },
    timeout: { type: 'string', default: '60' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [name = ''] = positionals;

/** @throws what kubectl printed */
async function kubectl(...args: string[]): Promise<string> {
  const inNamespace = values.namespace === undefined ? [] : ['-n', values.namespace];
  const child = spawn(values.kubectl, [...inNamespace, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, complaint] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(complaint.trim());
  return out;
}

async function read(): Promise<StreamProxy> {
  return JSON.parse(await kubectl('get', 'streamproxy', name, '-o', 'json')) as StreamProxy;
}

/** @returns the status of the generation, once every sidecar has confirmed it; undefined when the time is over */
async function programmed(generation: number): Promise<StreamProxy['status'] | undefined> {
  const until = performance.now() + Number(values.timeout) * 1000;
  while (performance.now() < until) {
    const { status } = await read();
    const condition = status?.conditions?.find(({ type }) => type === 'Programmed');
    if ((status?.observedGeneration ?? 0) >= generation && condition?.status === 'True') return status;
    await pause(ASK_EVERY_MS);
  }
  return undefined;
}

async function run(): Promise<number> {
  const { weights, problems } = parseWeights(values.to);
  if (values.help || name === '' || values.route === '' || problems.length > 0) {
    const wrong = values.help || values.to === '' ? [] : problems.map(({ message }) => message);
    process.stderr.write([...wrong, HELP].join('\n'));
    return values.help ? 0 : EXIT_USAGE;
  }
  const plan = planRollout(await read(), values.route, weights);
  if (plan.kind === 'problems') {
    for (const { path, message } of plan.problems) process.stderr.write(`${path}: ${message}\n`);
    return EXIT_USAGE;
  }
  const shown = (split: typeof plan.after): string => split.map((each) => `${each.name}=${each.weight ?? 1}`).join(' ');
  const patched = await kubectl(
    'patch',
    'streamproxy',
    name,
    '--type=json',
    '-p',
    JSON.stringify(plan.patch),
    '-o',
    'json',
  );
  process.stdout.write(`Route "${values.route}": ${shown(plan.before)} -> ${shown(plan.after)}\n`);
  const status = await programmed((JSON.parse(patched) as StreamProxy).metadata.generation ?? 0);
  if (!status) {
    process.stderr.write(
      `Not every sidecar runs it after ${values.timeout} s; look with: kubectl describe streamproxy ${name}\n`,
    );
    return 1;
  }
  process.stdout.write(
    `Revision ${status.revision} runs in ${status.pods?.current ?? 0} of ${status.pods?.injected ?? 0} pods\n`,
  );
  return 0;
}

process.exitCode = await run().catch((error: unknown) => {
  process.stderr.write(`Cannot shift the route: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
