/** One request as the listener hands it on: its head, its body to come, the way back, and the signal that ends it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dialectOfPath } from '#contract/dialect.ts';
import type { ProxyError } from '../errors.ts';
import type { RequestHead } from '../exchange.ts';
import type { Identity } from '../gateway/identify.ts';
import { ClientAnswer } from '../stream/framing.ts';
import { exchangeId } from './exchange-id.ts';
import { headerValue } from './raw-headers.ts';

export interface IncomingRequest {
  readonly head: RequestHead;
  /** Without the query. */
  readonly path: string;
  readonly request: IncomingMessage;
  readonly client: ClientAnswer;
  /** Aborts with an Interruption: the client left, or we stop. */
  readonly signal: AbortSignal;
  /** Why a gateway does not serve the caller. */
  readonly refusal?: ProxyError;
  /** Whether the caller asked how it was routed (`sluice-explain: true`). */
  readonly explain: boolean;
}

export function openIncoming(
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  receivedAt: number,
  identity?: Identity,
): IncomingRequest {
  const { rawHeaders } = request;
  const target = request.url ?? '/';
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const receivedAtEpochMs = Date.now();
  const head: RequestHead = {
    id: exchangeId(receivedAtEpochMs),
    receivedAt,
    receivedAtEpochMs,
    method: request.method ?? 'GET',
    target,
    dialect: dialectOfPath(path, headerValue(rawHeaders, 'anthropic-version') !== undefined),
    rawHeaders,
    ...(identity?.kind === 'known' && {
      caller: identity.caller,
      ...(identity.exchange !== undefined && { exchange: identity.exchange }),
    }),
  };
  const explain = headerValue(rawHeaders, 'sluice-explain') === 'true';
  return {
    head,
    path,
    request,
    client: new ClientAnswer(request, response),
    signal,
    explain,
    ...(identity?.kind === 'refused' && { refusal: identity.error }),
  };
}
