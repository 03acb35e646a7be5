/** Parts of a pattern that a backtracking engine tries at a bounded cost wherever it begins. */
import { type CharSet, classSource, sizeOf } from './char-set.ts';
import type { PatternNode } from './parse-pattern.ts';

/** What is tested natively, and what that costs at most. */
export interface Bounded {
  /** Of a native pattern with the flag `u`. */
  readonly source: string;
  /** Characters of the shortest match. */
  readonly least: number;
  /** Characters of the longest match. */
  readonly most: number;
  /** Ways through it. */
  readonly paths: number;
  /** How seldom it is met, in bits: 0 when all texts have it. */
  readonly rarity: number;
}

/** Steps of the engine from one place: linear in the text, whatever the text is. */
const MOST_STEPS = 256;
/** Characters that texts are mostly made of. */
const COMMON_CHARACTERS = 96;

const EMPTY: Bounded = { source: '', least: 0, most: 0, paths: 1, rarity: 0 };

/** @returns a condition that what matches the node fulfils at its place; undefined when it would cost too much */
export function boundedOf(node: PatternNode): Bounded | undefined {
  switch (node.kind) {
    case 'chars':
      return { source: classSource(node.set), least: 1, most: 1, paths: 1, rarity: rarityOf(node.set) };
    case 'word-edge':
      return { ...EMPTY, source: node.source };
    case 'text-edge':
      return EMPTY;
    case 'sequence':
      return node.parts.reduce<Bounded | undefined>((before, part) => followed(before, boundedOf(part)), EMPTY);
    case 'choice':
      return either(node.branches.map(boundedOf));
    case 'repeat':
      return times(boundedOf(node.part), node.min, node.max);
  }
}

/** How seldom a character of the set is met, in bits. */
export function rarityOf(set: CharSet): number {
  return Math.log2(COMMON_CHARACTERS / Math.min(sizeOf(set), COMMON_CHARACTERS));
}

export function followed(first: Bounded | undefined, second: Bounded | undefined): Bounded | undefined {
  if (first === undefined || second === undefined) return undefined;
  return affordable({
    source: first.source + second.source,
    least: first.least + second.least,
    most: first.most + second.most,
    paths: first.paths * second.paths,
    rarity: first.rarity + second.rarity,
  });
}

export function either(branches: readonly (Bounded | undefined)[]): Bounded | undefined {
  const all = branches.filter((branch) => branch !== undefined);
  if (all.length < branches.length) return undefined;
  return affordable({
    source: `(?:${all.map(({ source }) => source).join('|')})`,
    least: Math.min(...all.map(({ least }) => least)),
    most: Math.max(...all.map(({ most }) => most)),
    paths: all.reduce((sum, { paths }) => sum + paths, 0),
    rarity: Math.min(...all.map(({ rarity }) => rarity)),
  });
}

export function times(part: Bounded | undefined, min: number, max: number): Bounded | undefined {
  if (part === undefined || max > MOST_STEPS) return undefined;
  return affordable({
    source: `(?:${part.source}){${min},${max}}`,
    least: part.least * min,
    most: part.most * max,
    paths: part.paths ** max * (max - min + 1),
    rarity: part.rarity * min,
  });
}

function affordable(bounded: Bounded): Bounded | undefined {
  return bounded.paths * Math.max(bounded.most, 1) <= MOST_STEPS ? bounded : undefined;
}
