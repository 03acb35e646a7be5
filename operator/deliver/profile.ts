/** The SidecarProfile of a StreamProxy: what the admission policy copies into annotated pods. */
import { createHash } from 'node:crypto';
import type { StreamProxy } from '#contract/resources.ts';
import { KINDS, type KubeObject } from '../cluster/kinds.ts';
import { profileSpec, type SidecarSettings } from '../inject/sidecar.ts';
import type { AppliedObjects } from './apply-once.ts';
import { ownedMetadata } from './owned.ts';

/**
 * Writes the profile when it differs.
 * @returns whether it did
 */
export function deliverProfile(
  applied: AppliedObjects,
  resource: StreamProxy,
  settings: SidecarSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const object: KubeObject = {
    metadata: ownedMetadata(resource, resource.metadata.name),
    spec: profileSpec(settings, resource),
  };
  const name = { namespace: resource.metadata.namespace ?? '', name: resource.metadata.name };
  const digest = createHash('sha256').update(JSON.stringify(object)).digest('hex');
  return applied.ensure({ kind: KINDS.sidecarProfile, name, digest, build: async () => object }, signal);
}
