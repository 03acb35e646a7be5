/** All matches of one pattern in a text. The engine, which is slow, sees no more of the text than what may hold some. */
import type { RE2JS } from 're2js';
import { REDACTED } from '../headers.ts';
import { type Window, windowsOf } from './prefilter/windows.ts';
import type { Span } from './span.ts';

/**
 * @param most of the matches that are wanted; one more says that there are more
 * @returns in order, none overlapping
 */
export type FindMatches = (text: string, most: number) => Span[];

/** @param engine of the pattern */
export function findMatches(pattern: string, engine: RE2JS): FindMatches {
  const windows = windowsOf(pattern);
  if (windows === undefined) {
    return (text, most) => (engine.test(text) ? matchesIn(engine, text, { start: 0, end: text.length }, most) : []);
  }
  return (text, most) => {
    const spans: Span[] = [];
    for (const window of windows(text)) {
      if (spans.length > most) break;
      for (const span of matchesIn(engine, text, window, most - spans.length)) spans.push(span);
    }
    return spans;
  };
}

/** The engine sees one unit more than the window on both sides, by which the edges of words are told. */
function matchesIn(engine: RE2JS, text: string, { start, end }: Window, most: number): Span[] {
  const from = Math.max(start - 1, 0);
  const matcher = engine.matcher(text.slice(from, end + 1));
  const spans: Span[] = [];
  while (spans.length <= most && matcher.find()) {
    const span = { start: from + matcher.start(), end: from + matcher.end(), put: REDACTED };
    if (span.end > span.start) spans.push(span);
  }
  return spans;
}
