/** All matches of one pattern in a text. The engine, which is slow, sees no more of the text than what may hold some. */
import type { RE2JS } from 're2js';
import { REDACTED } from '../headers.ts';
import { windowsOf } from './prefilter/windows.ts';
import type { Span } from './span.ts';

/** @returns in order, none overlapping */
export type FindMatches = (text: string) => Span[];

/** @param engine of the pattern */
export function findMatches(pattern: string, engine: RE2JS): FindMatches {
  const windows = windowsOf(pattern);
  if (windows === undefined) return (text) => (engine.test(text) ? matchesIn(engine, text, 0, text.length) : []);
  return (text) => {
    const spans: Span[] = [];
    for (const { start, end } of windows(text))
      for (const span of matchesIn(engine, text, start, end)) spans.push(span);
    return spans;
  };
}

/** From `start` to before `end`; the engine sees one unit more on both sides, by which the edges of words are told. */
function matchesIn(engine: RE2JS, text: string, start: number, end: number): Span[] {
  const from = Math.max(start - 1, 0);
  const matcher = engine.matcher(text.slice(from, end + 1));
  const spans: Span[] = [];
  while (matcher.find()) {
    const span = { start: from + matcher.start(), end: from + matcher.end(), put: REDACTED };
    if (span.end > span.start) spans.push(span);
  }
  return spans;
}
