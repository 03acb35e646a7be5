/** Replaces the matches of RE2 patterns in texts: linear time whatever pattern and text are, never a backtracking engine. */
import type { RE2JS } from 're2js';
import { REDACTED } from '../headers.ts';

export interface PatternsResult {
  readonly texts: readonly string[];
  readonly count: number;
}

const compiled = new Map<string, RE2JS | undefined>();

/**
 * @param patterns RE2 syntax. One that does not compile hides the whole text: it was meant to hide something
 * @returns the texts in the same order, and how many matches were replaced
 */
export async function replacePatterns(texts: readonly string[], patterns: readonly string[]): Promise<PatternsResult> {
  let count = 0;
  const engines = await Promise.all(patterns.map(engineOf));
  const replaced = texts.map((text) =>
    engines.reduce((current, engine) => {
      if (current === '') return current;
      if (engine === undefined) {
        count++;
        return REDACTED;
      }
      return engine.matcher(current).replaceAll(() => {
        count++;
        return REDACTED;
      });
    }, text),
  );
  return { texts: replaced, count };
}

/** Imported when the first pattern is met, as most configs have none. */
async function engineOf(pattern: string): Promise<RE2JS | undefined> {
  if (!compiled.has(pattern)) {
    const { RE2JS } = await import('re2js');
    compiled.set(
      pattern,
      compile(() => RE2JS.compile(pattern)),
    );
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
