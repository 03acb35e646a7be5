/**
 * The only place that turns an error into an answer, in the client's dialect: before the first byte a status of ours, after
 * it a broken connection. Nobody else sets an error status on the listen port.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Interruption, ProxyError, type ProxyErrorKind } from '../errors.ts';
import type { Logger } from '../log/logger.ts';
import type { StreamEnd } from '../stream/end.ts';
import { errorBody } from './error-body.ts';
import type { IncomingRequest } from './incoming.ts';

const STATUS: Readonly<Record<ProxyErrorKind, number>> = {
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  too_large: 413,
  no_route: 404,
  invalid_route: 503,
  untranslatable: 501,
  connect_failed: 502,
  upstream_broke: 502,
  upstream_timeout: 504,
  unavailable: 503,
  at_limit: 503,
  shutting_down: 503,
  tool_loop: 502,
  internal: 500,
};

/** SDKs try 5xx again by themselves; these will not change before somebody changes the resource. */
const POINTLESS_TO_RETRY: ReadonlySet<ProxyErrorKind> = new Set(['invalid_route', 'untranslatable', 'internal']);

/**
 * Ends an exchange that failed.
 * @returns how it ended, and the status that the client got (0 when none)
 */
export async function rescue(
  error: unknown,
  incoming: IncomingRequest,
  added: readonly string[],
  logger: Logger,
): Promise<{ end: StreamEnd; status: number }> {
  const { client, signal } = incoming;
  const failure = toFailure(error, incoming, logger);
  if (failure instanceof Interruption) return interrupt(failure, incoming);
  if (client.begun) {
    client.abort('send');
    return { end: { kind: 'upstream_cut', detail: failure.kind }, status: client.status };
  }
  await answer(failure, incoming, added);
  const { status } = client;
  if (signal.aborted) return { end: { kind: 'client_gone' }, status };
  return { end: endOf(failure, status), status };
}

function endOf({ kind }: ProxyError, status: number): StreamEnd {
  const noAnswer = status === 502 || status === 504 || kind === 'internal';
  return { kind: noAnswer ? 'no_answer' : 'rejected', detail: kind };
}

/** What is neither ours nor an interruption is our mistake: told to us in full, to the client not at all. */
function toFailure(error: unknown, { head }: IncomingRequest, logger: Logger): ProxyError | Interruption {
  if (error instanceof Interruption) return error;
  const kind = error instanceof ProxyError ? error.kind : 'internal';
  if (kind === 'internal') {
    const shown = error instanceof ProxyError ? (error.facts.cause ?? error) : error;
    const text = shown instanceof Error ? shown.stack : String(shown);
    logger.error('Exchange failed by a mistake of ours', { exchange: head.id, error: text });
  }
  if (error instanceof ProxyError && kind !== 'internal') return error;
  return new ProxyError('internal', 'Report this with the request-id: the proxy made a mistake');
}

async function interrupt(
  { kind }: Interruption,
  incoming: IncomingRequest,
): Promise<{ end: StreamEnd; status: number }> {
  const { client } = incoming;
  if (kind === 'client_gone' || client.begun) {
    client.abort('drop');
    return { end: { kind: kind === 'shutdown' ? 'shutdown' : 'client_gone' }, status: client.status };
  }
  if (kind === 'client_stalled') {
    const stalled = new ProxyError('bad_request', 'Send the whole body: it stopped half way', { status: 408 });
    await answer(stalled, incoming, []);
    return { end: { kind: 'idle', side: 'client', detail: 'request body' }, status: client.status };
  }
  await answer(new ProxyError('shutting_down', 'Send the request again: this proxy is stopping'), incoming, []);
  return { end: { kind: 'shutdown' }, status: client.status };
}

async function answer(error: ProxyError, incoming: IncomingRequest, added: readonly string[]): Promise<void> {
  const { client, head } = incoming;
  const status = error.facts.status ?? STATUS[error.kind];
  const text = errorBody(head.dialect, { kind: error.kind, status, message: error.message, id: head.id });
  const body = Buffer.from(text);
  const headers = ['content-type', 'application/json', 'content-length', String(body.length)];
  headers.push('request-id', head.id, 'sluice-error', error.kind, ...added);
  // RFC 9110, section 15.5.2: a 401 names a way to authenticate.
  if (status === 401) headers.push('www-authenticate', 'Bearer realm="sluice"');
  // OpenAI's SDKs look for the id under this name alone.
  if (head.dialect !== 'anthropic') headers.push('x-request-id', head.id);
  if (error.facts.retryAfterS !== undefined) headers.push('retry-after', String(error.facts.retryAfterS));
  if (error.facts.exhausted || POINTLESS_TO_RETRY.has(error.kind)) headers.push('x-should-retry', 'false');
  client.begin(status, STATUS_CODES[status] ?? 'Error', headers, () => {
    if (head.method !== 'HEAD') client.write(body);
  });
  await client.end([]);
}

/** What the HTTP parser refused where no answer is under way. The client's dialect is not known yet. */
export function answerBadSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { kind, message, facts } = parserError(error.code);
  const status = facts.status ?? STATUS[kind];
  const body = errorBody('raw', { kind, status, message, id: '' });
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json`;
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nsluice-error: ${kind}\r\n\r\n${body}`);
}

/** The HTTP parser's refusal as ours. @param code of Node's error */
export function parserError(code: string | undefined): ProxyError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ProxyError('too_large', 'Send fewer or shorter headers', { status: 431 });
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new ProxyError('too_large', 'Send chunks without extensions');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProxyError('bad_request', 'Send the whole head: it stopped half way', { status: 408 });
    default:
      return new ProxyError('bad_request', 'Send a request that can be read in one way only');
  }
}
