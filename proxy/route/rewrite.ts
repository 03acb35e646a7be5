/** rewrite.prefix: the client's path and query → the ones that are joined to the upstream's url. Pure. */
import type { ValidRoute } from '#contract/compiled.ts';
import { ProxyError } from '../errors.ts';
import { climbs } from '../listen/guard.ts';
import { pathMatches } from './match.ts';

/**
 * What the route's first matching pattern names, without its `*`, is replaced; the rest and the query stay as they came. A
 * pattern that ends in a slash leaves one: `/search/*` with the prefix `/api` makes `/api/x` of `/search/x`.
 * @param target path and query
 * @throws ProxyError bad_request when the result would climb out of the prefix
 */
export function rewriteTarget(route: ValidRoute, target: string): string {
  if (route.rewritePrefix === undefined) return target;
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const named = route.match.paths.find((pattern) => pathMatches(pattern, path))?.path ?? '';
  const rest = path.slice(named.length);
  const prefix = route.rewritePrefix.replace(/\/+$/, '');
  const joined = named.endsWith('/') ? `${prefix}/${rest}` : `${prefix}${rest}`;
  const rewritten = joined.startsWith('/') ? joined : `/${joined}`;
  if (climbs(rewritten)) {
    throw new ProxyError(
      'bad_request',
      `Send another path: route "${route.name}" rewrites this one to a climbing one`,
      {
        route: route.name,
      },
    );
  }
  return query === -1 ? rewritten : rewritten + target.slice(query);
}
