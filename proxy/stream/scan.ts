/** Reads along an answer's body and says how it stands: terminal event, error event, content, usage. Never changes a byte. */
import type { Dialect } from '#contract/dialect.ts';
import type { Verdict } from '../exchange.ts';
import { BlindScanner, PlainStreamScanner } from './scan/blind.ts';
import { ChatScanner } from './scan/chat.ts';
import { MessagesScanner } from './scan/messages.ts';
import { ResponsesScanner } from './scan/responses.ts';
import type { Usage } from './scan/usage.ts';

/** One answer's reader. It gives the same result for any chunking of the same bytes, and never throws. */
export interface StreamScanner {
  /** The next bytes of the body, in order: the buffer, or the part of it. It must not be changed afterwards. */
  push(chunk: Buffer, from?: number, to?: number): void;
  verdict(): Verdict;
  /** Content events so far (text, thinking, tool input). */
  readonly contentEvents: number;
  /** Model that the answer names. */
  readonly model: string | undefined;
  /** Token counts seen so far; the last value that was a number wins, nothing is added up. */
  readonly usage: Usage | undefined;
}

/** Which protocol's streams an answer may hold; `none`: a form whose end we cannot recognise. */
type Protocol = 'messages' | 'chat' | 'responses' | 'none';

/**
 * The scanner for one answer.
 * @param dialect of the answer, that is of the upstream
 * @param path of the client's request, without query
 * @param rawHeaders of the answer, names and values alternating
 * @returns a scanner whose verdict is `unknown` for what is no event stream, comes encoded, or has no terminal event that we know
 */
export function scannerFor(dialect: Dialect, path: string, rawHeaders: readonly string[]): StreamScanner {
  if (!isEventStream(rawHeaders) || isEncoded(rawHeaders)) return new BlindScanner();
  const protocol = protocolOf(dialect, path);
  switch (protocol) {
    case 'messages':
      return new MessagesScanner();
    case 'chat':
      return new ChatScanner();
    case 'responses':
      return new ResponsesScanner();
    case 'none':
      return new PlainStreamScanner();
  }
}

/** Whether an answer's headers announce an event stream, whatever its encoding. */
export function isEventStream(rawHeaders: readonly string[]): boolean {
  const type = headerValue(rawHeaders, 'content-type');
  return type !== undefined && mediaType(type) === 'text/event-stream';
}

function isEncoded(rawHeaders: readonly string[]): boolean {
  const encoding = headerValue(rawHeaders, 'content-encoding')?.trim().toLowerCase() ?? '';
  return encoding !== '' && encoding !== 'identity';
}

/** The value of a header in a raw list, by lower-case name; of several the first. */
export function headerValue(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) return rawHeaders[i + 1];
  }
  return undefined;
}

/** A content-type without its parameters, in lower case. */
export function mediaType(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function protocolOf(dialect: Dialect, path: string): Protocol {
  if (dialect === 'raw') return 'none';
  if (path === '/v1/messages') return dialect === 'anthropic' ? 'messages' : 'chat';
  if (path === '/v1/chat/completions') return dialect === 'anthropic' ? 'messages' : 'chat';
  if (path === '/v1/responses' || path.startsWith('/v1/responses/')) {
    return dialect === 'anthropic' ? 'messages' : 'responses';
  }
  return 'none';
}
