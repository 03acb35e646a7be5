/**
 * CORS (https://fetch.spec.whatwg.org/#http-cors-protocol) on proxied paths, where the resource names origins. Preflights are
 * answered here and reach no upstream; what an upstream says of its own origins is replaced.
 */
import type { StreamEnd } from '../stream/end.ts';
import type { IncomingRequest } from './incoming.ts';
import { filterHeaders, headerValue, type RawHeaders } from './raw-headers.ts';

export interface Cors {
  /** Names and values alternating, for every answer to this request, our own errors included. */
  readonly added: readonly string[];
  /** Headers of the answer when the request is a preflight; undefined when it is none. */
  readonly preflight: readonly string[] | undefined;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const MOST_HEADERS = 64;
const MAX_LIST_LENGTH = 4096;
const PREFLIGHT_AGE_S = '600';

/** @returns undefined when CORS is off */
export function corsOf({ head }: IncomingRequest, origins: readonly string[] | undefined): Cors | undefined {
  if (!origins) return undefined;
  const origin = headerValue(head.rawHeaders, 'origin');
  const isAllowed = origin !== undefined && origins.includes(origin);
  const added = isAllowed
    ? ['vary', 'Origin', 'access-control-allow-origin', origin, 'access-control-expose-headers', '*']
    : ['vary', 'Origin'];
  const method = headerValue(head.rawHeaders, 'access-control-request-method');
  if (head.method !== 'OPTIONS' || origin === undefined || method === undefined) return { added, preflight: undefined };
  return { added, preflight: isAllowed ? [...added, ...permissions(method, head.rawHeaders)] : added };
}

/** The method and headers that were asked for, as far as they are such. */
function permissions(method: string, rawHeaders: RawHeaders): string[] {
  const headers = ['access-control-max-age', PREFLIGHT_AGE_S];
  if (TOKEN.test(method)) headers.push('access-control-allow-methods', method);
  const list = headerValue(rawHeaders, 'access-control-request-headers') ?? '';
  const names = list.length > MAX_LIST_LENGTH ? [] : list.split(',').map((name) => name.trim());
  if (names.length <= MOST_HEADERS && names.length > 0 && names.every((name) => TOKEN.test(name))) {
    headers.push('access-control-allow-headers', names.join(', '));
  }
  return headers;
}

/** The answer's headers without what the upstream says of origins: it was not asked by the page. */
export function withoutCors(rawHeaders: RawHeaders): readonly string[] {
  return filterHeaders(rawHeaders, (name) => !name.startsWith('access-control-'));
}

/** Answers a preflight: 204, no body. */
export async function answerPreflight({ client }: IncomingRequest, headers: readonly string[]): Promise<StreamEnd> {
  client.begin(204, 'No Content', headers, () => {});
  await client.end([]);
  return { kind: 'complete', detail: 'preflight' };
}
