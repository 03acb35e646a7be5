/** A request's headers × who may use the gateway → who calls, or the refusal. Nothing of a credential is ever repeated. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { CompiledGateway } from '#contract/compiled-gateway.ts';
import { EXCHANGE_HEADER, TOKEN_AUDIENCE } from '#contract/names.ts';
import { ProxyError } from '../errors.ts';
import type { Caller } from '../exchange.ts';
import { headerValue, type RawHeaders } from '../listen/raw-headers.ts';
import { looksLikeToken, type TokenOwner, type TokenVerifier, tokenVerifier, verifyToken } from './token.ts';

export type Identity =
  | {
      readonly kind: 'known';
      readonly caller: Caller;
      /** The exchange's id at the hop before us; from a caller that we know alone. */
      readonly exchange?: string;
    }
  | { readonly kind: 'refused'; readonly error: ProxyError };

/** Who may use the gateway, made ready for use. */
export interface Callers {
  readonly verifier: TokenVerifier | undefined;
  readonly accounts: readonly { readonly client: string; readonly namespace: string; readonly account?: string }[];
  /** Digests, so that keys of any length are compared in the same time. */
  readonly keys: readonly { readonly client: string; readonly digest: Buffer }[];
}

/**
 * @param secrets file name → value
 * @throws when a public key cannot be read
 */
export function callersOf({ clients, tokenKeys }: CompiledGateway, secrets: ReadonlyMap<string, string>): Callers {
  return {
    verifier: tokenKeys && tokenVerifier(tokenKeys),
    accounts: clients.flatMap((client) =>
      client.kind === 'serviceAccount'
        ? [
            {
              client: client.name,
              namespace: client.namespace,
              ...(client.account !== undefined && { account: client.account }),
            },
          ]
        : [],
    ),
    keys: clients.flatMap((client) => {
      const value = client.kind === 'secret' ? secrets.get(client.file) : undefined;
      return value === undefined || value === '' ? [] : [{ client: client.name, digest: digestOf(value) }];
    }),
  };
}

/** @param nowSeconds since the epoch */
export function identify(rawHeaders: RawHeaders, callers: Callers, nowSeconds: number): Identity {
  let refusal: ProxyError | undefined;
  for (const credential of credentialsOf(rawHeaders)) {
    const found = recognise(credential, callers, nowSeconds);
    if (!(found instanceof ProxyError)) return { kind: 'known', caller: found, ...exchangeOf(rawHeaders) };
    refusal ??= found;
  }
  return { kind: 'refused', error: refusal ?? unauthenticated(`${HOW}; the request has none`) };
}

const HOW = `Send a key of this gateway (x-api-key, or Authorization: Bearer), or a service account's token for the audience "${TOKEN_AUDIENCE}"`;

/** In the headers in which SDKs send keys. */
function credentialsOf(rawHeaders: RawHeaders): string[] {
  const bearer = /^bearer +(\S+)$/i.exec(headerValue(rawHeaders, 'authorization')?.trim() ?? '')?.[1];
  const others = ['x-api-key', 'api-key'].map((name) => headerValue(rawHeaders, name)?.trim());
  return [bearer, ...others].filter((value) => value !== undefined && value !== '') as string[];
}

function recognise(credential: string, callers: Callers, nowSeconds: number): Caller | ProxyError {
  const client = clientOfKey(credential, callers);
  if (client !== undefined) return { client };
  if (!looksLikeToken(credential)) return unauthenticated(`${HOW}; the key that came is none of them`);
  if (!callers.verifier) return unauthenticated('Send a key of this gateway; it lets no service accounts in');
  const verdict = verifyToken(credential, callers.verifier, nowSeconds);
  if (verdict.kind === 'bad')
    return unauthenticated(`Send another token for the audience "${TOKEN_AUDIENCE}": ${verdict.problem}`);
  return callerOfToken(verdict.owner, callers);
}

/** Every key is compared, so that the time tells nothing. */
function clientOfKey(credential: string, { keys }: Callers): string | undefined {
  const given = digestOf(credential);
  let client: string | undefined;
  for (const known of keys) if (timingSafeEqual(given, known.digest)) client ??= known.client;
  return client;
}

function callerOfToken({ namespace, account, pod }: TokenOwner, { accounts }: Callers): Caller | ProxyError {
  const listed = accounts.find((entry) => entry.namespace === namespace && (entry.account ?? account) === account);
  if (listed) {
    return { client: listed.client, serviceAccount: `${namespace}/${account}`, ...(pod !== undefined && { pod }) };
  }
  return new ProxyError(
    'forbidden',
    `Add service account "${account}" of namespace "${namespace}" to spec.gateway.clients of the gateway; it is not listed`,
  );
}

/** The form of our own ids: whatever else a caller invents would only confuse the records. */
function exchangeOf(rawHeaders: RawHeaders): { readonly exchange?: string } {
  const value = headerValue(rawHeaders, EXCHANGE_HEADER);
  return value !== undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value) ? { exchange: value } : {};
}

function digestOf(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

function unauthenticated(message: string): ProxyError {
  return new ProxyError('unauthenticated', message);
}
