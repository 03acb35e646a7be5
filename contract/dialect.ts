/** The dialects that clients and upstreams speak, and which one a client's path proves. */

export const DIALECTS = ['anthropic', 'openai', 'raw'] as const;
/** `raw` is any HTTP API: passed on, never translated. */
export type Dialect = (typeof DIALECTS)[number];

const OPENAI_PATHS = ['/v1/chat/completions', '/v1/responses', '/v1/embeddings'];

/**
 * The client's dialect, from its path and headers.
 * @param path without query
 * @param anthropicVersion whether the request carries an `anthropic-version` header, which decides for /v1/models
 */
export function dialectOfPath(path: string, anthropicVersion: boolean): Dialect {
  if (path === '/v1/messages' || path.startsWith('/v1/messages/')) return 'anthropic';
  if (OPENAI_PATHS.some((known) => path === known || path.startsWith(`${known}/`))) return 'openai';
  if (path === '/v1/models' || path.startsWith('/v1/models/')) return anthropicVersion ? 'anthropic' : 'openai';
  return 'raw';
}

/** Whether requests of one dialect can reach an upstream of the other as they are. */
export function speaksNatively(client: Dialect, upstream: Dialect): boolean {
  return client === upstream || client === 'raw' || upstream === 'raw';
}

/** The paths whose requests and answers can be put into the other dialect. */
const TRANSLATED_PATHS: Readonly<Record<Dialect, readonly string[]>> = {
  anthropic: ['/v1/messages'],
  openai: ['/v1/chat/completions'],
  raw: [],
};

/** Whether an upstream can serve what a client of this dialect asks on this path, as it is or translated. */
export function isServable(client: Dialect, upstream: Dialect, path: string): boolean {
  return speaksNatively(client, upstream) || TRANSLATED_PATHS[client].includes(path);
}
