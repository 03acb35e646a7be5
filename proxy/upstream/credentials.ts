/** Whose key goes to an upstream: the first source that is there. A caller's key never goes where another source was chosen. */
import type { ValidUpstream } from '#contract/compiled.ts';
import { type Dialect, speaksNatively } from '#contract/dialect.ts';
import type { Problem } from '#contract/finding.ts';
import { GATEWAY_TOKEN_FILE, PLACEHOLDER_KEY } from '#contract/names.ts';
import { ProxyError } from '../errors.ts';
import { headerValue, type RawHeaders } from '../listen/raw-headers.ts';

/** Headers in which callers send keys. */
export const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'proxy-authorization'];

export interface Credential {
  /** Lower-case names of the caller's headers that must not reach the upstream. */
  readonly removed: ReadonlySet<string>;
  /** Header and value to send instead. */
  readonly added?: readonly [name: string, value: string];
}

/**
 * @param client headers as the caller sent them
 * @param secrets file name → bare credential
 */
export function chooseCredential(
  upstream: ValidUpstream,
  client: { readonly dialect: Dialect; readonly rawHeaders: RawHeaders },
  secrets: ReadonlyMap<string, string>,
): Credential {
  const ours = upstream.credentials.flatMap((source) => (source.kind === 'secret' ? [source.header] : []));
  const every = new Set([...CREDENTIAL_HEADERS, ...ours]);
  for (const source of upstream.credentials) {
    if (source.kind === 'client') {
      const own = clientKeys(client.rawHeaders);
      if (own.size > 0 && speaksNatively(client.dialect, upstream.dialect)) return { removed: every.difference(own) };
      continue;
    }
    if (source.kind === 'serviceAccountToken') {
      const token = secrets.get(GATEWAY_TOKEN_FILE);
      if (token === undefined) throw noToken(upstream.name);
      return { removed: every, added: ['authorization', `Bearer ${token}`] };
    }
    const value = secrets.get(source.file);
    if (value === undefined) continue;
    return { removed: every, added: [source.header, source.scheme === 'bearer' ? `Bearer ${value}` : value] };
  }
  return { removed: every };
}

/** A pod's volumes are those of its creation. Without a token the gateway's 401 would look like its fault. */
function noToken(upstream: string): ProxyError {
  const message = `Create the pod anew: it was made without the service account token that gateway "${upstream}" asks for`;
  return new ProxyError('unavailable', message, { upstream });
}

/** The caller's headers that hold a real key; the placeholder stands for none. */
function clientKeys(rawHeaders: RawHeaders): Set<string> {
  const keys = new Set<string>();
  for (const name of ['x-api-key', 'authorization', 'api-key']) {
    const value = headerValue(rawHeaders, name)?.trim() ?? '';
    const bare = value.replace(/^bearer(?:\s+|$)/i, '');
    if (bare !== '' && bare !== PLACEHOLDER_KEY) keys.add(name);
  }
  return keys;
}

/** Checks that everything which the upstreams name was delivered, and can be sent. The values are never part of a message. */
export function credentialProblems(
  upstreams: readonly ValidUpstream[],
  secrets: ReadonlyMap<string, string>,
): Problem[] {
  return upstreams.flatMap((upstream) =>
    upstream.credentials.flatMap((source): Problem[] => {
      if (source.kind !== 'secret') return [];
      const value = secrets.get(source.file);
      const problem = value === undefined ? 'is missing' : headerProblem(value);
      if (problem === undefined) return [];
      return [
        { path: source.file, message: `The credential of upstream "${upstream.name}" ${problem}; deliver it again` },
      ];
    }),
  );
}

function headerProblem(value: string): string | undefined {
  if (value === '') return 'is empty';
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) ? undefined : 'holds bytes that no header may carry';
}
