/** StreamProxy + findings -> CompiledConfig. Pure: same input, same revision. Parts with a finding that breaks them become `invalid`. */
import { createHash } from 'node:crypto';
import { COMPILED_VERSION, type CompiledConfig, type Revision } from '../compiled.ts';
import type { Finding } from '../finding.ts';
import { DEFAULT_METRICS_PORT } from '../names.ts';
import type { StreamProxy } from '../resources.ts';
import { type SecretLookup, type SecretRef, secretNames, secretRefs, secretState } from '../secrets.ts';
import type { TokenKeys } from '../token-keys.ts';
import { validate } from '../validate/validate.ts';
import { credentialFile } from './credential-file.ts';
import { compileGateway } from './gateway.ts';
import { compileListen } from './listen.ts';
import { compileLogging } from './logging.ts';
import { compileRoutes } from './routes.ts';
import { compileUpstreams } from './upstreams.ts';

export interface Compiled {
  readonly config: CompiledConfig;
  /** Files that must lie beside config.json, each with the Secret's key that it holds; only those that exist. */
  readonly credentials: readonly (SecretRef & { readonly file: string })[];
  readonly findings: readonly Finding[];
}

/**
 * Validates and compiles.
 * @param resource a structurally valid StreamProxy
 * @param secrets what is known of the Secrets that it names
 * @param tokenKeys the cluster's, for gateways; absent: tokens of service accounts cannot be verified
 */
export function compile(resource: StreamProxy, secrets: SecretLookup, tokenKeys?: TokenKeys): Compiled {
  const { spec, metadata } = resource;
  const findings = validate(resource, secrets, tokenKeys);
  const found = secretRefs(spec).filter((ref) => secretState(ref, secrets) === 'found');
  const body: Omit<CompiledConfig, 'revision'> = {
    version: COMPILED_VERSION,
    name: metadata.name,
    namespace: metadata.namespace ?? 'default',
    generation: metadata.generation ?? 0,
    listen: compileListen(spec.listen),
    metrics: { port: spec.metrics?.port ?? DEFAULT_METRICS_PORT },
    ...(spec.agentTag && { agentTag: spec.agentTag }),
    upstreams: compileUpstreams(spec, secrets, findings),
    routes: compileRoutes(spec, findings),
    logging: compileLogging(spec, findings),
    ...(spec.gateway && { gateway: compileGateway(spec.gateway, findings, tokenKeys) }),
  };
  return {
    config: { ...body, revision: revisionOf(body, spec, secrets) },
    credentials: found.map((ref) => ({ ...ref, file: credentialFile(ref) })),
    findings,
  };
}

/** Hash over everything that the sidecar executes; versions of Secrets stand for their content, which is never hashed. */
function revisionOf(
  body: Omit<CompiledConfig, 'revision'>,
  spec: StreamProxy['spec'],
  secrets: SecretLookup,
): Revision {
  const versions = secretNames(spec).map((name) => {
    const facts = secrets.get(name);
    return [name, facts?.exists ? facts.version : null];
  });
  const { generation: _generation, ...executed } = body;
  return createHash('sha256')
    .update(JSON.stringify([executed, versions]))
    .digest('hex')
    .slice(0, 16);
}
