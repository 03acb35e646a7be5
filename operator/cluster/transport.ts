/** One HTTP request to the API server. Plain node:https with keep-alive: nothing retries, buffers or times out behind our back. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Access } from './access.ts';
import { ApiError } from './api-error.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** What we do, for messages: "list pods". */
  readonly action: string;
}

/** Longest wait for a whole answer, watches excepted. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Idle time after which the kernel asks whether the peer is still there; Node repeats each second and gives up after ten. */
const KEEP_ALIVE_MS = 10_000;
/** A list page of 500 large objects stays below this. */
const MOST_ANSWER_BYTES = 256 * 1024 ** 2;

/**
 * Sends a request and reads the whole answer as JSON.
 * @throws ApiError when the answer's status is 400 or more
 */
export async function sendJson(access: Access, request: ApiRequest, signal: AbortSignal): Promise<unknown> {
  const { status, body } = await access.limit(async () => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const response = await open(access, request, bounded);
    return { status: response.statusCode ?? 0, body: parse(await readAll(response)) };
  });
  if (status >= 400) throw ApiError.from(status, body, request.action);
  return body;
}

/**
 * Sends a GET whose answer is read as it comes.
 * @returns the body of an answer with status 200; its reading fails when `signal` aborts
 * @throws ApiError for any other status
 */
export async function sendStreaming(
  access: Access,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const late = new AbortController();
  const tooLate = new Error(`Cannot ${request.action}: the API server did not answer within ${ANSWER_TIMEOUT_MS} ms`);
  const timer = setTimeout(() => late.abort(tooLate), ANSWER_TIMEOUT_MS).unref();
  const bounded = AbortSignal.any([signal, late.signal]);
  try {
    const { status, body } =
      (await openMultiplexed(access, request, bounded)) ?? (await openAlone(access, request, bounded));
    if (status === 200) return body;
    throw ApiError.from(status, parse(await readAll(body)), request.action);
  } finally {
    clearTimeout(timer);
  }
}

async function openMultiplexed(access: Access, request: ApiRequest, signal: AbortSignal) {
  if (!access.multiplexer) return undefined;
  const { headers, ...options } = await access.options();
  const { pathname, search } = urlOf(access, request);
  return access.multiplexer.get(`${pathname}${search}`, options, headersOf(request, headers), signal);
}

async function openAlone(access: Access, request: ApiRequest, signal: AbortSignal) {
  const body = await open(access, request, signal);
  return { status: body.statusCode ?? 0, body };
}

function urlOf(access: Access, request: ApiRequest): URL {
  const url = new URL(request.path, access.server);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined && value !== '') url.searchParams.set(name, value);
  }
  return url;
}

function headersOf(request: ApiRequest, credentials: unknown): Record<string, string> {
  const accept = request.accept ?? 'application/json';
  return { ...(credentials as Record<string, string> | undefined), accept, 'user-agent': 'sluice-operator' };
}

async function open(access: Access, request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const url = urlOf(access, request);
  const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const { headers, ...options } = await access.options();
  const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      ...options,
      method: request.method,
      signal,
      headers: {
        ...headersOf(request, headers),
        ...(payload && { 'content-type': request.contentType ?? 'application/json', 'content-length': payload.length }),
      },
    });
    outgoing.once('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    outgoing.once('error', reject);
    outgoing.once('response', resolve);
    outgoing.end(payload);
  });
}

async function readAll(response: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    if (bytes > MOST_ANSWER_BYTES) throw new Error(`Cannot read an answer of more than ${MOST_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy or a dying API server answers in plain text; the status says enough.
    return { message: text.slice(0, 200) };
  }
}
