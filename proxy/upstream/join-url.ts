/** The path that the upstream is asked for: its own base and the client's path, joined by the rule for dialects and paths. */

/**
 * @param basePath the upstream url's path without a trailing slash; empty when there is none
 * @param target the client's path and query; the query is kept as it came
 */
export function joinUrl(basePath: string, target: string): string {
  if (basePath === '') return target;
  // Both sides name the version: SDKs of one dialect have it in their base url, those of the other in their paths.
  if (basePath.endsWith('/v1') && /^\/v1(?=[/?]|$)/.test(target)) return basePath + target.slice('/v1'.length);
  return basePath + target;
}
