/** The places of a text where a pattern may match at all, told by native searches: the engine has to look at these only. */
import { type CharSet, union, unitsOf } from './char-set.ts';
import { type PatternNode, parsePattern } from './parse-pattern.ts';
import { rarest, requiredLiteral, requiredParts } from './required.ts';

/** From `start` to before `end`. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** @returns windows of the text in order, none overlapping; every match that is not empty lies within one */
export type FindWindows = (text: string) => Iterable<Window>;

/** @returns undefined when nothing is known that every match of the pattern has */
export function windowsOf(pattern: string): FindWindows | undefined {
  const node = parsePattern(pattern);
  if (node === undefined) return undefined;
  const literal = requiredLiteral(node);
  const rare = rarest(requiredParts(node));
  if (rare === undefined) return undefined;
  const candidates = new RegExp(rare.source, 'gu');
  const units = hasTextEdge(node) ? undefined : unitsOf(union(charsOf(node)));
  return (text) => {
    candidates.lastIndex = 0;
    if (!text.includes(literal) || !candidates.test(text)) return [];
    return units === undefined ? [{ start: 0, end: text.length }] : runsAt(text, candidates, units);
  };
}

/**
 * A match has characters of the pattern only, so that it lies in one run of these. What is right before and behind a run is none.
 * @param candidates found once in the text
 */
function* runsAt(text: string, candidates: RegExp, units: Uint8Array): Generator<Window> {
  candidates.lastIndex = 0;
  for (let found = candidates.exec(text); found !== null; found = candidates.exec(text)) {
    const isIn = (at: number): boolean => units[text.charCodeAt(at)] === 1;
    let start = found.index;
    while (start > 0 && isIn(start - 1)) start--;
    let end = found.index + found[0].length;
    while (end < text.length && isIn(end)) end++;
    yield { start, end };
    candidates.lastIndex = end;
  }
}

/** Where a text begins and ends cannot be told from a window. */
function hasTextEdge(node: PatternNode): boolean {
  switch (node.kind) {
    case 'sequence':
      return node.parts.some(hasTextEdge);
    case 'choice':
      return node.branches.some(hasTextEdge);
    case 'repeat':
      return hasTextEdge(node.part);
    case 'text-edge':
      return true;
    case 'chars':
    case 'word-edge':
      return false;
  }
}

function charsOf(node: PatternNode): CharSet[] {
  switch (node.kind) {
    case 'sequence':
      return node.parts.flatMap(charsOf);
    case 'choice':
      return node.branches.flatMap(charsOf);
    case 'repeat':
      return charsOf(node.part);
    case 'chars':
      return [node.set];
    case 'word-edge':
    case 'text-edge':
      return [];
  }
}
