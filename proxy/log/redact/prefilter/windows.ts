/** The places of a text where a pattern may match at all, told by native searches: the engine has to look at these only. */
import { type CharSet, union, unitsOf } from './char-set.ts';
import { type PatternNode, parsePattern } from './parse-pattern.ts';
import { rarest, requiredLiteral, requiredParts } from './required.ts';
import { findRun, type Run, requiredRun } from './required-run.ts';

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
  const run = requiredRun(node);
  const find = run !== undefined && run.rarity >= rare.rarity ? byRun(run) : bySource(rare.source);
  const units = hasTextEdge(node) ? undefined : unitsOf(union(charsOf(node)));
  return (text) => {
    if (!text.includes(literal)) return [];
    const first = find(text, 0);
    if (first === undefined) return [];
    return units === undefined ? [{ start: 0, end: text.length }] : runsAt(text, first, { find, units });
  };
}

/** @returns the first place from `from` on where a match may be, or a part of one that every match has */
type FindCandidate = (text: string, from: number) => Window | undefined;

function bySource(source: string): FindCandidate {
  const candidates = new RegExp(source, 'gu');
  return (text, from) => {
    candidates.lastIndex = from;
    const found = candidates.exec(text);
    return found === null ? undefined : { start: found.index, end: found.index + found[0].length };
  };
}

function byRun(run: Run): FindCandidate {
  return (text, from) => {
    const start = findRun(text, run, from);
    return start === undefined ? undefined : { start, end: start + run.length };
  };
}

/**
 * A match has characters of the pattern only, so that it lies in one run of these. What is right before and behind a run is none.
 * @param first candidate of the text
 */
function* runsAt(
  text: string,
  first: Window,
  { find, units }: { readonly find: FindCandidate; readonly units: Uint8Array },
): Generator<Window> {
  const isIn = (at: number): boolean => units[text.charCodeAt(at)] === 1;
  for (let found: Window | undefined = first; found !== undefined; ) {
    let { start, end } = found;
    while (start > 0 && isIn(start - 1)) start--;
    while (end < text.length && isIn(end)) end++;
    yield { start, end };
    found = find(text, end);
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
