/** Headers across the proxy, in both directions: what belongs to one connection ends here, everything else passes as it came. */
import { EXCHANGE_HEADER } from '#contract/names.ts';
import { filterHeaders, headerValue, headerValues, type RawHeaders } from '../listen/raw-headers.ts';
import type { Credential } from '../upstream/credentials.ts';

/** RFC 9110, section 7.6.1, and what older software sends. Trailers pass; the field that announces them is ours to write. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What we answer, ask or set ourselves towards the upstream. */
const OURS = new Set([
  'host',
  'expect',
  'content-length',
  'accept-encoding',
  'sluice-explain',
  'sluice-debug',
  EXCHANGE_HEADER,
]);

function named(rawHeaders: RawHeaders): Set<string> {
  const names = headerValues(rawHeaders, 'connection').flatMap((value) => value.split(','));
  return new Set(names.map((name) => name.trim().toLowerCase()));
}

/**
 * The request's headers as the upstream gets them.
 * @param contentLength of a streamed body; undefined when there is none, or when the transport knows it
 */
export function requestHeaders(
  rawHeaders: RawHeaders,
  credential: Credential,
  contentLength: number | undefined,
): string[] {
  const connection = named(rawHeaders);
  const kept = filterHeaders(
    rawHeaders,
    (name) => !HOP_BY_HOP.has(name) && !OURS.has(name) && !connection.has(name) && !credential.removed.has(name),
  );
  // Compressed events could be neither judged nor recorded as they pass.
  kept.push('accept-encoding', 'identity');
  if (contentLength !== undefined) kept.push('content-length', String(contentLength));
  if (credential.added) kept.push(...credential.added);
  return kept;
}

export interface AnswerHeaderOptions {
  /** The body is decoded on the way: its length and encoding are gone. */
  readonly decoded: boolean;
  /** Our own retries are spent: the client's would only repeat them. */
  readonly exhausted: boolean;
  /** Names and values alternating. */
  readonly added: readonly string[];
}

/** The answer's headers as the client gets them. */
export function answerHeaders(rawHeaders: RawHeaders, options: AnswerHeaderOptions): string[] {
  const connection = named(rawHeaders);
  const kept = filterHeaders(rawHeaders, (name) => {
    if (HOP_BY_HOP.has(name) || connection.has(name)) return false;
    if (options.decoded && (name === 'content-length' || name === 'content-encoding')) return false;
    return !(options.exhausted && name === 'x-should-retry');
  });
  if (isEventStream(rawHeaders)) {
    // Whoever stands between us and the client shall neither keep events nor collect them.
    if (headerValue(kept, 'cache-control') === undefined) kept.push('cache-control', 'no-cache');
    if (headerValue(kept, 'x-accel-buffering') === undefined) kept.push('x-accel-buffering', 'no');
  }
  if (options.exhausted) kept.push('x-should-retry', 'false');
  kept.push(...options.added);
  return kept;
}

export function isEventStream(rawHeaders: RawHeaders): boolean {
  const type = headerValue(rawHeaders, 'content-type') ?? '';
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(type);
}
