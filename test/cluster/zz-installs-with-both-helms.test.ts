/** Promise: the chart installs, upgrades and uninstalls with Helm 4 and Helm 3. Last of the files, as it takes the release away. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  forgetChart,
  type Installed,
  installChart,
  installed,
  isInstalled,
  RELEASE,
  SYSTEM_NAMESPACE,
} from '../support/cluster/installed.ts';
import { run } from '../support/cluster/kubectl.ts';
import { until } from '../support/cluster/wait.ts';

let ready: Installed;

before(async () => {
  ready = await installed();
});

async function uninstall(helm: string): Promise<void> {
  const result = await run([
    helm,
    'uninstall',
    RELEASE,
    '-n',
    SYSTEM_NAMESPACE,
    '--kubeconfig',
    ready.cluster.kubeconfig,
    '--wait',
  ]);
  assert.equal(result.code, 0, result.stderr);
  await forgetChart(ready.cluster);
}

test('Helm 4 uninstalls: nothing of the release stays but the CRDs and the resources in them', async () => {
  await uninstall(ready.cluster.helm);
  const policies = await ready.kubectl.do([
    'get',
    'mutatingadmissionpolicies,validatingadmissionpolicies',
    '-o',
    'name',
  ]);
  assert.doesNotMatch(policies, /sluice/);
  const roles = await ready.kubectl.do(['get', 'clusterroles', '-o', 'name']);
  assert.doesNotMatch(roles, /sluice/);
  assert.match(await ready.kubectl.do(['get', 'crds', '-o', 'name']), /streamproxies\.sluice\.dev/);
});

test('Helm 3 installs, upgrades and uninstalls it', async (context) => {
  const { helm3 } = ready.cluster;
  if (helm3 === undefined) return context.skip('no helm3 on PATH for a cluster of your own');
  await installChart(ready.cluster, helm3, ready.product);
  await installChart(ready.cluster, helm3, { ...ready.product, set: ['operator.logLevel=debug'] });
  await until('the operator to be ready again', async () => {
    return (await isInstalled(ready.kubectl)) ? true : undefined;
  });
  await uninstall(helm3);
});

test('Helm 4 installs it again over the CRDs that were kept', async () => {
  await installChart(ready.cluster, ready.cluster.helm, ready.product);
});
