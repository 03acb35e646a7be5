/**
 * Hides in a text what patterns match, in it as it stands and in what it says: strings of JSON without their escapes, and the
 * texts that a stream's deltas give when put together.
 */
import { REDACTED } from '../headers.ts';
import { escapedStrings } from './escaped-strings.ts';
import type { FindMatches } from './find-matches.ts';
import { looksLikeJson } from './json-text.ts';
import { alignedToEscapes, merged, type Span, withoutSpans } from './span.ts';
import { looksLikeEvents, streamViews } from './stream-views.ts';
import { View } from './view.ts';

/** Strings of JSON that hold JSON, as a tool's arguments do, are looked into so deep; each level may cost what the text costs. */
const MOST_DEPTH = 3;

/** @returns the text with one mask for each match, and how many there are */
export function hideMatches(
  text: string,
  finders: readonly FindMatches[],
): { readonly text: string; readonly count: number } {
  if (finders.length === 0) return { text, count: 0 };
  const spans = matchesIn(text, finders, 0);
  return { text: withoutSpans(text, spans), count: spans.filter(({ put }) => put === REDACTED).length };
}

/** In order, none overlapping. */
function matchesIn(text: string, finders: readonly FindMatches[], depth: number): Span[] {
  const isJson = looksLikeJson(text);
  const isStream = !isJson && looksLikeEvents(text);
  const spans = finders.flatMap((find) => {
    const found = find(text);
    return isJson || isStream ? alignedToEscapes(text, found) : found;
  });
  if (depth < MOST_DEPTH && (isJson || isStream)) {
    const views = isStream ? streamViews(text) : escapedStrings(text).map((piece) => new View(text, [piece]));
    for (const view of views) {
      for (const span of view.inSource(matchesIn(view.text, finders, depth + 1))) spans.push(span);
    }
  }
  return merged(spans);
}
