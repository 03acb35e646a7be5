/** Places of a text that are to be hidden, and the text with them hidden. */
import { REDACTED } from '../headers.ts';
import { escapeEnd } from './escapes.ts';

/** From `start` to before `end`, at least one character. */
export interface Span {
  readonly start: number;
  readonly end: number;
  /** What stands there instead: the mask, or nothing where the mask stands in an earlier piece of the same match. */
  readonly put: string;
}

/** @returns the spans in order; of those that overlap one is made */
export function merged(spans: readonly Span[]): Span[] {
  const inOrder = spans.toSorted((a, b) => a.start - b.start || b.end - a.end || a.put.length - b.put.length);
  const result: Span[] = [];
  for (const span of inOrder) {
    const last = result.at(-1);
    if (last === undefined || span.start >= last.end) result.push(span);
    else if (span.end > last.end) result[result.length - 1] = joined(last, span);
  }
  return result;
}

/** Two that overlap, of which neither holds the other. */
function joined(first: Span, second: Span): Span {
  const isMasked = first.put !== '' || second.put !== '';
  return { start: first.start, end: second.end, put: isMasked ? REDACTED : '' };
}

/**
 * Moves ends of spans that lie inside of an escape of JSON behind it. At a beginning it is the right one to keep: the `n` of a
 * newline is no letter before an address.
 * @param spans in order, none overlapping
 */
export function alignedToEscapes(text: string, spans: readonly Span[]): Span[] {
  const aligned: Span[] = [];
  let from = 0;
  for (const span of spans) {
    const start = escapeEnd(text, span.start, from);
    const end = escapeEnd(text, span.end, Math.min(start, span.end));
    if (end > start) aligned.push({ ...span, start, end });
    from = Math.max(start, end);
  }
  return aligned;
}

/** @param spans in order, none overlapping */
export function withoutSpans(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  const parts: string[] = [];
  let from = 0;
  for (const { start, end, put } of spans) {
    parts.push(text.slice(from, start), put);
    from = end;
  }
  parts.push(text.slice(from));
  return parts.join('');
}
