/** A request to a gateway carries the id of the exchange; to anybody else it never does (dispatch/headers.ts removes what came). */
import type { ValidUpstream } from '#contract/compiled.ts';
import { EXCHANGE_HEADER } from '#contract/names.ts';
import type { RequestHead } from '../exchange.ts';

/** @returns the request with the id of the exchange where it began, if the upstream is a gateway */
export function chained<T extends { readonly headers: string[] }>(
  request: T,
  upstream: ValidUpstream,
  { exchange, id }: RequestHead,
): T {
  if (!upstream.gateway) return request;
  return { ...request, headers: [...request.headers, EXCHANGE_HEADER, exchange ?? id] };
}
