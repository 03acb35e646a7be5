/**
 * A service account's token → whose it is, or why it is none of ours. Verified offline with the cluster's public keys
 * (RFC 7515, RFC 7519): the API server is not asked, so that it may be down, and is not told of each request.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { TOKEN_AUDIENCE } from '#contract/names.ts';
import type { TokenAlgorithm, TokenKeys } from '#contract/token-keys.ts';

export interface TokenOwner {
  readonly namespace: string;
  readonly account: string;
  /** The pod that the token is bound to. */
  readonly pod?: string;
}

export type TokenVerdict =
  | { readonly kind: 'good'; readonly owner: TokenOwner }
  /** `problem`: for the caller; says nothing that the token's holder does not know. */
  | { readonly kind: 'bad'; readonly problem: string };

/** Keys made ready for use, by their id. */
export interface TokenVerifier {
  readonly issuer: string;
  readonly keys: ReadonlyMap<string, { readonly alg: TokenAlgorithm; readonly key: KeyObject }>;
}

/** Clocks of nodes differ; a token that was made just now must not be refused. Its end is taken at its word. */
const SKEW_SECONDS = 60;
const MOST_TOKEN_CHARS = 16_384;

/** @throws when a key cannot be read */
export function tokenVerifier({ issuer, keys }: TokenKeys): TokenVerifier {
  return {
    issuer,
    keys: new Map(
      keys.map(({ kid, alg, ...jwk }) => [kid, { alg, key: createPublicKey({ key: jwk, format: 'jwk' }) }]),
    ),
  };
}

/** Whether a credential is meant as a token at all: three parts, the first of them a JSON object. */
export function looksLikeToken(text: string): boolean {
  return text.startsWith('eyJ') && text.split('.').length === 3;
}

/** @param nowSeconds since the epoch */
export function verifyToken(text: string, verifier: TokenVerifier, nowSeconds: number): TokenVerdict {
  if (text.length > MOST_TOKEN_CHARS) return bad('it is too long');
  const [head = '', body = '', signature = ''] = text.split('.');
  const { alg, kid } = readPart(head) ?? {};
  const known = typeof kid === 'string' ? verifier.keys.get(kid) : undefined;
  if (!known) return bad('no key of this cluster has signed it');
  // The algorithm is the key's. What the token says must be the same, or it could choose a weaker one, or none.
  if (alg !== known.alg) return bad('its algorithm is not that of its key');
  if (!isSigned(`${head}.${body}`, Buffer.from(signature, 'base64url'), known)) return bad('its signature is wrong');
  const claims = readPart(body);
  return claims ? judgeClaims(claims, verifier.issuer, nowSeconds) : bad('it is no JSON');
}

function isSigned(text: string, signature: Buffer, { alg, key }: { alg: TokenAlgorithm; key: KeyObject }): boolean {
  const digest = `sha${alg.slice(2)}`;
  // RFC 7518, section 3.4: an ECDSA signature is the two numbers side by side, not DER.
  return verify(
    digest,
    Buffer.from(text),
    { key, ...(alg.startsWith('ES') && { dsaEncoding: 'ieee-p1363' }) },
    signature,
  );
}

type Claims = Readonly<Record<string, unknown>>;

function judgeClaims(claims: Claims, issuer: string, nowSeconds: number): TokenVerdict {
  const { iss, aud, exp, nbf } = claims;
  if (iss !== issuer) return bad('another issuer made it');
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(TOKEN_AUDIENCE)) return bad(`it is not for the audience "${TOKEN_AUDIENCE}"`);
  if (typeof exp !== 'number' || exp <= nowSeconds) return bad('it has expired');
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf > nowSeconds + SKEW_SECONDS))
    return bad('it is not valid yet');
  const owner = ownerOf(claims);
  return owner ? { kind: 'good', owner } : bad('it is no service account token');
}

/** Kubernetes' own claims, which must agree with the subject. */
function ownerOf({ sub, 'kubernetes.io': bound }: Claims): TokenOwner | undefined {
  const { namespace, serviceaccount, pod } = objectOf(bound);
  const { name: account } = objectOf(serviceaccount);
  if (typeof namespace !== 'string' || typeof account !== 'string') return undefined;
  if (sub !== `system:serviceaccount:${namespace}:${account}`) return undefined;
  const { name: podName } = objectOf(pod);
  return { namespace, account, ...(typeof podName === 'string' && { pod: podName }) };
}

function readPart(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Claims {
  return typeof value === 'object' && value !== null ? (value as Claims) : {};
}

function bad(problem: string): TokenVerdict {
  return { kind: 'bad', problem };
}
