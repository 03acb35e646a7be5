/** `npm run demo`: the whole chain on a real cluster, with progress shown; ends with what the pod received and what the metrics say. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ClusterUnavailable, clusterDown } from '../test/cluster/machine/cluster.ts';
import { type Installed, installed } from '../test/support/cluster/installed.ts';
import { deployment, list } from '../test/support/cluster/objects.ts';
import { demoMetrics } from './demo/metrics.ts';

const QUICKSTART = join(import.meta.dirname, '../crds/examples/quickstart.yaml');
const NAMESPACE = 'sluice-demo';
const UPSTREAM = { name: 'scripted-upstream', port: 8080 };

const { values } = parseArgs({
  options: { down: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
const startedAt = performance.now();

function step(line: string): void {
  console.log(`[${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

function heading(text: string): void {
  console.log(`\n── ${text} ${'─'.repeat(Math.max(0, 100 - text.length))}`);
}

/** Namespace with the scripted provider, the quick start's StreamProxy, and an annotated Deployment. */
async function deploy({ kubectl, testImage }: Installed): Promise<string> {
  const metadata = { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } };
  await kubectl.apply(list({ apiVersion: 'v1', kind: 'Namespace', metadata }));
  const inNamespace = ['-n', NAMESPACE];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: UPSTREAM.name },
    spec: { selector: { app: UPSTREAM.name }, ports: [{ port: UPSTREAM.port }] },
  };
  const args = ['upstream', '--port', String(UPSTREAM.port), '--host', '0.0.0.0'];
  await kubectl.apply(list(service, deployment({ name: UPSTREAM.name, image: testImage, args })), inNamespace);
  step('scripted provider deployed');
  await kubectl.apply(await readFile(QUICKSTART, 'utf8'), inNamespace);
  await kubectl.do([...inNamespace, 'wait', 'streamproxy/quickstart', '--for=condition=Programmed', '--timeout=60s']);
  step('kubectl apply -f crds/examples/quickstart.yaml: programmed');
  await kubectl.do([...inNamespace, 'delete', 'deployment', 'agent', '--ignore-not-found', '--wait']);
  const agent = deployment({ name: 'agent', image: testImage, inject: 'quickstart', args: ['client', 'idle'] });
  await kubectl.apply(list(agent), inNamespace);
  await kubectl.do([...inNamespace, 'rollout', 'status', 'deployment/agent', '--timeout=120s']);
  await kubectl.do([...inNamespace, 'rollout', 'status', `deployment/${UPSTREAM.name}`, '--timeout=120s']);
  const pod = await kubectl.do([
    ...inNamespace,
    'get',
    'pods',
    '-l',
    'app=agent',
    '-o',
    'jsonpath={.items[0].metadata.name}',
  ]);
  step(`annotated Deployment running: pod ${pod} has the sidecar`);
  return pod;
}

async function main(): Promise<void> {
  step('bringing up the cluster (the first time builds Kubernetes; about ten minutes on two cores)');
  const ready = await installed(step);
  step('chart installed, operator ready');
  const { kubectl } = ready;
  const pod = await deploy(ready);
  const inNamespace = ['-n', NAMESPACE];
  for (const sdk of ['anthropic', 'openai']) {
    const seen = await kubectl.do([
      ...inNamespace,
      'exec',
      pod,
      '-c',
      'app',
      '--',
      '/usr/local/bin/node',
      '/app/main.mjs',
      'client',
      'stream',
      '--sdk',
      sdk,
    ]);
    heading(`the answer as the pod received it, through the official ${sdk} SDK`);
    console.log(JSON.stringify(JSON.parse(seen), undefined, 2));
  }
  heading('kubectl get streamproxy quickstart');
  console.log(await kubectl.do([...inNamespace, 'get', 'streamproxy', 'quickstart']));
  console.log(
    await kubectl.do([
      ...inNamespace,
      'get',
      'streamproxy',
      'quickstart',
      '-o',
      'jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}',
    ]),
  );
  heading(`stream latency of pod ${pod}, from its /metrics`);
  console.log(await demoMetrics(kubectl, NAMESPACE, pod));
  step('done');
  console.log(
    '\nLook around: npm run cluster -- kubectl -n sluice-demo get pods,streamproxies\nStop it:     npm run cluster -- down',
  );
}

if (values.help) {
  console.log(
    'npm run demo [-- --down]\n  --down  stop the cluster at the end\nSLUICE_KUBECONFIG=FILE uses a cluster of your own (with SLUICE_IMAGE and SLUICE_TEST_IMAGE, pushed by you).',
  );
} else {
  try {
    await main();
    if (values.down) await clusterDown({ log: step });
  } catch (error) {
    if (!(error instanceof ClusterUnavailable)) throw error;
    console.error(`No demo here: ${error.message}`);
    process.exitCode = 1;
  }
}
