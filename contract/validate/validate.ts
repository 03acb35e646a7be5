/** What the API server cannot see in one field: references and values that cannot work. StreamProxy -> findings, in the order of the spec. */
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import type { SecretLookup } from '../secrets.ts';
import type { TokenKeys } from '../token-keys.ts';
import { validateGateway } from './gateway.ts';
import { validateLogging } from './logging.ts';
import { validateRedaction } from './redaction.ts';
import { validateRoutes } from './routes.ts';
import { validateTiers } from './tiers.ts';
import { validateToolLoops } from './tool-loop.ts';
import { validateUpstreams } from './upstreams.ts';

/**
 * @param resource a structurally valid StreamProxy
 * @param secrets what is known of the Secrets that it names
 * @param tokenKeys the cluster's; absent: tokens of service accounts cannot be verified
 */
export function validate(resource: StreamProxy, secrets: SecretLookup, tokenKeys?: TokenKeys): Finding[] {
  const { spec } = resource;
  return [
    ...validateUpstreams(spec, secrets),
    ...validateRoutes(spec),
    ...validateTiers(spec),
    ...validateToolLoops(spec, secrets),
    ...validateRedaction(spec),
    ...validateLogging(spec, secrets),
    ...validateGateway(spec, secrets, tokenKeys),
  ];
}
