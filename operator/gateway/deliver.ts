/** Brings a gateway's objects to the cluster, and takes them away when the StreamProxy is a gateway no longer. */
import { createHash } from 'node:crypto';
import { gatewayName, MANAGED_BY, MANAGED_BY_LABEL } from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, type Kind, type ObjectName } from '../cluster/kinds.ts';
import type { AppliedObjects } from '../deliver/apply-once.ts';
import type { SidecarSettings } from '../inject/sidecar.ts';
import { type Gateway, gatewayObjects } from './objects.ts';

export interface GatewayDelivery {
  readonly cluster: Cluster;
  readonly applied: AppliedObjects;
  readonly sidecar: SidecarSettings;
}

/** Deleting the Deployment first ends the pods before what sends them requests. */
const KINDS_OF_GATEWAYS: readonly Kind[] = [KINDS.deployment, KINDS.service, KINDS.podDisruptionBudget];

/** Writes what differs. No pod is injected with a gateway's config, so there is no profile. */
export async function deliverGateway(
  { cluster, applied, sidecar }: GatewayDelivery,
  resource: StreamProxy,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<void> {
  await removeOwn(cluster, KINDS.sidecarProfile, nameOf(resource, resource.metadata.name), signal);
  for (const { kind, object } of gatewayObjects(sidecar, resource, gateway)) {
    const name = nameOf(resource, object.metadata.name);
    const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex');
    // Its status changes all the time, and with it the version.
    await applied.ensure({ kind, name, digest, byGeneration: true, build: async () => object }, signal);
  }
}

/** Removes what an earlier spec asked for. */
export async function removeGateway(
  { cluster, applied }: GatewayDelivery,
  resource: StreamProxy,
  signal: AbortSignal,
): Promise<void> {
  const name = nameOf(resource, gatewayName(resource.metadata.name));
  for (const kind of KINDS_OF_GATEWAYS) {
    await removeOwn(cluster, kind, name, signal);
    applied.forget(kind, name);
  }
}

/** What is remembered of a gateway goes with its resource. */
export function forgetGateway(applied: AppliedObjects, { namespace, name }: ObjectName): void {
  for (const kind of KINDS_OF_GATEWAYS) applied.forget(kind, { namespace, name: gatewayName(name) });
}

async function removeOwn(cluster: Cluster, kind: Kind, name: ObjectName, signal: AbortSignal): Promise<void> {
  const there = await cluster.getMetadata(kind, name, signal);
  if (there?.metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY) await cluster.remove(kind, name, signal);
}

function nameOf({ metadata }: StreamProxy, name: string): ObjectName {
  return { namespace: metadata.namespace ?? '', name };
}
