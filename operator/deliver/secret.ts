/** The one Secret per StreamProxy that sidecars mount: compiled config and the credentials that it names, under a fixed name. */
import type { Compiled } from '#contract/compile/compile.ts';
import { CONFIG_FILE, deliveredSecretName, REVISION_ANNOTATION } from '#contract/names.ts';
import type { StreamProxy } from '#contract/resources.ts';
import type { SecretLookup } from '#contract/secrets.ts';
import { ApiError } from '../cluster/api-error.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, type KubeObject } from '../cluster/kinds.ts';
import { TerminalError } from '../errors.ts';
import type { AppliedObjects } from './apply-once.ts';
import { ownedMetadata } from './owned.ts';

/** A Secret was changed between being compiled and being read; its own change brings the resource back at once. */
export class SecretChangedError extends Error {
  override readonly name = 'SecretChangedError';
}

export interface Delivery {
  readonly resource: StreamProxy;
  readonly compiled: Compiled;
  /** What compile saw; the values delivered are of these versions or are not delivered. */
  readonly secrets: SecretLookup;
}

/**
 * Writes the Secret when it differs.
 * @returns whether it did
 */
export async function deliverSecret(
  { cluster, applied }: { readonly cluster: Cluster; readonly applied: AppliedObjects },
  delivery: Delivery,
  signal: AbortSignal,
): Promise<boolean> {
  const { resource, compiled } = delivery;
  const name = { namespace: resource.metadata.namespace ?? '', name: deliveredSecretName(resource.metadata.name) };
  const { revision, generation } = compiled.config;
  const digest = `${resource.metadata.uid} ${revision} ${generation}`;
  try {
    const build = async (): Promise<KubeObject> =>
      deliveredSecret(delivery, await readValues(cluster, delivery, signal));
    return await applied.ensure({ kind: KINDS.secret, name, digest, build }, signal);
  } catch (error) {
    throw withoutContent(error, name.name);
  }
}

/** @param values file name → value in base64 */
export function deliveredSecret(
  { resource, compiled }: Delivery,
  values: Readonly<Record<string, string>>,
): KubeObject {
  const annotations = { [REVISION_ANNOTATION]: compiled.config.revision };
  return {
    metadata: ownedMetadata(resource, deliveredSecretName(resource.metadata.name), annotations),
    type: 'Opaque',
    data: { ...values, [CONFIG_FILE]: Buffer.from(JSON.stringify(compiled.config)).toString('base64') },
  };
}

async function readValues(cluster: Cluster, delivery: Delivery, signal: AbortSignal): Promise<Record<string, string>> {
  const { resource, compiled, secrets } = delivery;
  const namespace = resource.metadata.namespace ?? '';
  const names = [...new Set(compiled.credentials.map(({ name }) => name))];
  const read = await Promise.all(names.map((name) => cluster.get(KINDS.secret, { namespace, name }, signal)));
  const data = new Map(names.map((name, index) => [name, read[index]]));
  return Object.fromEntries(
    compiled.credentials.map(({ name, key, file }) => {
      const secret = data.get(name);
      const seen = secrets.get(name);
      const value = (secret?.['data'] as Record<string, string> | undefined)?.[key];
      if (!seen?.exists || seen.version !== secret?.metadata.resourceVersion || value === undefined) {
        throw new SecretChangedError(`Secret "${name}" changed while it was delivered`);
      }
      return [file, value];
    }),
  );
}

/** The server's words on a refused Secret may quote it. An admission policy's refusal is meant for people, and is kept. */
function withoutContent(error: unknown, name: string): unknown {
  if (!(error instanceof ApiError)) return error;
  if (error.status === 403) return new ApiError(403, error.reason, error.message);
  if (error.status === 413 || error.status === 422) {
    return new TerminalError(
      `Secret "${name}" was refused (${error.reason || `HTTP ${error.status}`}); config and credentials together may have 1 MiB: ` +
        'use fewer routes, or smaller certificate bundles.',
    );
  }
  return new ApiError(
    error.status,
    error.reason,
    `Cannot write Secret "${name}": HTTP ${error.status} ${error.reason}`,
    error.retryAfterMs,
  );
}
