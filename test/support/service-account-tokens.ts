/** A cluster's token signer of one test: keys of its own, and tokens of service accounts as the API server would sign them. */
import { createPublicKey, generateKeyPairSync, type JsonWebKeyInput, type KeyObject, sign } from 'node:crypto';
import { type TokenAlgorithm, type TokenKeys, tokenKeysOf } from '../../contract/token-keys.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface Signer {
  /** As the API server publishes them. */
  readonly keySet: { readonly keys: readonly object[] };
  readonly tokenKeys: TokenKeys;
  /** @param claims in place of those of a good token of apps/agent */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
}

const CURVES = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' } as const;

export function signer(kid = 'key-1', alg: TokenAlgorithm = 'RS256'): Signer {
  const { privateKey, publicKey } = alg.startsWith('ES')
    ? generateKeyPairSync('ec', { namedCurve: CURVES[alg as keyof typeof CURVES] })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keySet = { keys: [{ use: 'sig', kid, alg, ...publicKey.export({ format: 'jwk' }) }] };
  const tokenKeys = tokenKeysOf({ issuer: ISSUER }, keySet);
  if (!tokenKeys) throw new Error('Cannot read the keys that were just made');
  return {
    keySet,
    tokenKeys,
    token: (claims = {}, header = {}) => {
      const body = { ...goodClaims(), ...claims };
      return signed({ alg, kid, ...header }, body, privateKey, alg);
    },
  };
}

/** A token of namespace `apps`, account `agent`, pod `agent-0`, good for an hour. */
function goodClaims(): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: ISSUER,
    aud: ['sluice'],
    iat: now,
    nbf: now,
    exp: now + 3600,
    sub: 'system:serviceaccount:apps:agent',
    'kubernetes.io': {
      namespace: 'apps',
      pod: { name: 'agent-0', uid: '1' },
      serviceaccount: { name: 'agent', uid: '2' },
    },
  };
}

export function signed(header: object, body: object, key: KeyObject, alg: TokenAlgorithm): string {
  const text = `${part(header)}.${part(body)}`;
  const ecdsa = alg.startsWith('ES') && ({ dsaEncoding: 'ieee-p1363' } as const);
  return `${text}.${sign(`sha${alg.slice(2)}`, Buffer.from(text), { key, ...ecdsa }).toString('base64url')}`;
}

/** The public key's PEM as a secret: what a verifier that takes the algorithm from the token would accept (HS256). */
export function publicPem({ keySet }: Signer): string {
  const [jwk] = keySet.keys;
  return createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}

export function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
