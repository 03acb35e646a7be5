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

/** So many places of one text are told apart: each takes some 300 bytes until it is hidden, and makes the text longer. */
const MOST_PLACES = 250_000;

/** @returns the text with one mask for each match, and how many there are; one mask for all of it when these are too many */
export function hideMatches(
  text: string,
  finders: readonly FindMatches[],
): { readonly text: string; readonly count: number } {
  if (finders.length === 0) return { text, count: 0 };
  const spans = new Search(finders).matchesIn(text, 0);
  if (spans === undefined) return { text: REDACTED, count: 1 };
  return { text: withoutSpans(text, spans), count: spans.filter(({ put }) => put === REDACTED).length };
}

/** In one text and all that it says. */
class Search {
  readonly #finders: readonly FindMatches[];
  #left = MOST_PLACES;

  constructor(finders: readonly FindMatches[]) {
    this.#finders = finders;
  }

  /** @returns in order, none overlapping; undefined when there are too many */
  matchesIn(text: string, depth: number): Span[] | undefined {
    const isJson = looksLikeJson(text);
    const isStream = !isJson && looksLikeEvents(text);
    const spans = this.#written(text, isJson || isStream);
    if (spans === undefined) return undefined;
    if (depth < MOST_DEPTH && (isJson || isStream)) {
      for (const view of isStream ? streamViews(text) : stringViews(text)) {
        const said = this.matchesIn(view.text, depth + 1);
        if (said === undefined) return undefined;
        for (const span of view.inSource(said)) spans.push(span);
      }
    }
    return merged(spans);
  }

  /** In the text as it stands. */
  #written(text: string, hasEscapes: boolean): Span[] | undefined {
    const spans: Span[] = [];
    for (const find of this.#finders) {
      const found = find(text, this.#left);
      this.#left -= found.length;
      if (this.#left < 0) return undefined;
      for (const span of hasEscapes ? alignedToEscapes(text, found) : found) spans.push(span);
    }
    return spans;
  }
}

function* stringViews(json: string): Generator<View> {
  for (const piece of escapedStrings(json)) yield new View(json, [piece]);
}
