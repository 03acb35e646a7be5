/** Replaces the matches of RE2 patterns in texts: linear time whatever pattern and text are, never a backtracking engine. */
import type { RE2JS } from 're2js';
import { REDACTED } from '../headers.ts';
import { type FindMatches, findMatches } from './find-matches.ts';
import { hideMatches } from './hide.ts';

export interface PatternsResult {
  readonly texts: readonly string[];
  readonly count: number;
}

const compiled = new Map<string, FindMatches | undefined>();

/**
 * @param patterns RE2 syntax. One that does not compile hides the whole text: it was meant to hide something
 * @returns the texts in the same order, and how many matches were replaced
 */
export async function replacePatterns(texts: readonly string[], patterns: readonly string[]): Promise<PatternsResult> {
  const finders = await Promise.all(patterns.map(finderOf));
  const whole = finders.filter((find) => find !== undefined);
  const results = texts.map((text) => {
    if (text === '') return { text, count: 0 };
    return whole.length < finders.length ? { text: REDACTED, count: 1 } : hideMatches(text, whole);
  });
  return {
    texts: results.map(({ text }) => text),
    count: results.reduce((sum, { count }) => sum + count, 0),
  };
}

/** Imported when the first pattern is met, as most configs have none. */
async function finderOf(pattern: string): Promise<FindMatches | undefined> {
  if (!compiled.has(pattern)) {
    const { RE2JS } = await import('re2js');
    const engine = compile(() => RE2JS.compile(pattern));
    compiled.set(pattern, engine && findMatches(pattern, engine));
  }
  return compiled.get(pattern);
}

function compile(make: () => RE2JS): RE2JS | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
