/**
 * The public keys with which a cluster's service account tokens are verified offline, as the API server publishes them
 * (/.well-known/openid-configuration and /openid/v1/jwks; RFC 7517). Of a key only the members that we use are kept.
 */
import { at, type Place, readList, readName, readObject, readOneOf } from './parse-fields.ts';

/** Signature algorithms of Kubernetes: RSA with PKCS #1 v1.5, and ECDSA. A key is used for its own algorithm alone. */
export const TOKEN_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

export interface TokenKeys {
  /** What a token's `iss` must equal. */
  readonly issuer: string;
  readonly keys: readonly TokenKey[];
}

export type TokenKey = {
  readonly kid: string;
  readonly alg: TokenAlgorithm;
} & (
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string }
);

/** Reads the compiled form; problems go to the place. */
export function readTokenKeys(value: unknown, place: Place): TokenKeys {
  const fields = readObject(value, place);
  return {
    issuer: readName(fields['issuer'], at(place, 'issuer')),
    keys: readList(fields['keys'], at(place, 'keys'), readTokenKey),
  };
}

function readTokenKey(value: unknown, place: Place): TokenKey {
  const fields = readObject(value, place);
  const text = (name: string): string => readName(fields[name], at(place, name));
  const common = {
    kid: text('kid'),
    alg: readOneOf(fields['alg'], at(place, 'alg'), TOKEN_ALGORITHMS) ?? 'RS256',
  };
  const kty = readOneOf(fields['kty'], at(place, 'kty'), ['RSA', 'EC']);
  if (kty === 'EC') return { ...common, kty, crv: text('crv'), x: text('x'), y: text('y') };
  return { ...common, kty: 'RSA', n: text('n'), e: text('e') };
}

/**
 * The API server's two documents → the keys, sorted, so that the same keys give the same revision.
 * @returns undefined when they hold no issuer or no key that we can use
 */
export function tokenKeysOf(discovery: unknown, keySet: unknown): TokenKeys | undefined {
  const issuer = (discovery as { issuer?: unknown } | null)?.issuer;
  const listed = (keySet as { keys?: unknown } | null)?.keys;
  if (typeof issuer !== 'string' || issuer === '' || !Array.isArray(listed)) return undefined;
  const keys = listed.flatMap((each: unknown): TokenKey[] => {
    const place: Place = { path: '', problems: [] };
    const key = readTokenKey(each, place);
    // A key of a kind that we do not know is none of ours to refuse all others for.
    return place.problems.length === 0 ? [key] : [];
  });
  if (keys.length === 0) return undefined;
  return { issuer, keys: keys.sort((a, b) => (a.kid < b.kid ? -1 : 1)) };
}
