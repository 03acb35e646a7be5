/** What the API server cannot see in one field: references and values that cannot work. StreamProxy -> findings, in the order of the spec. */
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import type { SecretLookup } from '../secrets.ts';
import { validateLogging } from './logging.ts';
import { validateRoutes } from './routes.ts';
import { validateUpstreams } from './upstreams.ts';

/**
 * @param resource a structurally valid StreamProxy
 * @param secrets what is known of the Secrets that it names
 */
export function validate(resource: StreamProxy, secrets: SecretLookup): Finding[] {
  const { spec } = resource;
  return [...validateUpstreams(spec, secrets), ...validateRoutes(spec), ...validateLogging(spec)];
}
