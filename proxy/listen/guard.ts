/**
 * Refuses requests that two parsers could read in two ways. The HTTP parser refuses most (bare LF, folded lines, CL with
 * TE, differing lengths); what it lets through, or joins silently, is refused here.
 */
import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../errors.ts';

/** Longest body that is passed on. */
export const MAX_BODY_BYTES = 64 * 1024 ** 2;

/** Most headers of a request; their bytes are bounded by the parser. */
const MAX_HEADERS = 200;

/** Headers that mean one thing only: a second one is an attempt to show two readers different values. */
const SINGLE = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'expect',
  'x-agent-name',
]);

/** @throws ProxyError bad_request or too_large */
export function guard(request: IncomingMessage): void {
  // The parser takes a line without a version (0.9), and 2.0, whose framing is another one.
  if (request.httpVersionMajor !== 1) throw refuse('Send HTTP/1.1 or HTTP/1.0');
  if (request.rawHeaders.length > 2 * MAX_HEADERS) throw tooManyHeaders();
  const seen = new Set<string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase();
    if (seen.has(name) && SINGLE.has(name)) throw refuse(`Send the header "${name}" once; it came twice`);
    seen.add(name);
  }
  guardTarget(request.url ?? '');
  guardFraming(request);
}

function guardTarget(target: string): void {
  if (!target.startsWith('/')) throw refuse('Send the request target as a path that begins with "/"');
  if (target.includes('#')) throw refuse('Leave the fragment out of the request target');
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  // A path that climbs would match one route here and name something else at the upstream.
  if (climbs(path)) throw refuse('Send a path without "." and ".." segments');
}

/** Whether a path has segments that lead upwards, however they are written. */
export function climbs(path: string): boolean {
  return path.split(/[/\\]|%2f|%5c/i).some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
}

function guardFraming(request: IncomingMessage): void {
  const encoding = request.headers['transfer-encoding'];
  if (encoding !== undefined) {
    if (request.httpVersionMinor === 0) throw refuse('Send Transfer-Encoding with HTTP/1.1 only');
    if (encoding.trim().toLowerCase() !== 'chunked') throw refuse('Send no Transfer-Encoding but "chunked"');
    if (request.headers['content-length'] !== undefined) {
      throw refuse('Send Content-Length or Transfer-Encoding; both came');
    }
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
}

function tooManyHeaders(): ProxyError {
  return new ProxyError('too_large', `Send at most ${MAX_HEADERS} headers`, { status: 431 });
}

export function tooLarge(): ProxyError {
  return new ProxyError('too_large', `Send a body of at most ${MAX_BODY_BYTES} bytes`, { status: 413 });
}

function refuse(message: string): ProxyError {
  return new ProxyError('bad_request', message);
}
