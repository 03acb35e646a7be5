/** Runs of characters that every match of a pattern has in it, such as the digits of a card number, and a quick search for them. */
import { rarityOf } from './bounded.ts';
import { type CharSet, unitsOf } from './char-set.ts';
import type { PatternNode } from './parse-pattern.ts';

/** So many UTF-16 units of a set, one after the other. */
export interface Run {
  /** For each unit 1 when it is of the set. */
  readonly units: Uint8Array;
  readonly length: number;
  /** How seldom it is met, in bits. */
  readonly rarity: number;
}

/** A shorter one is met too often to be worth a look of its own. */
const LEAST = 4;

/** @returns the longest such run; undefined when there is none of some length */
export function requiredRun(node: PatternNode): Run | undefined {
  const longest = runsOf(node).reduce<SetRun | undefined>(
    (best, run) => (run.length > (best?.length ?? LEAST - 1) ? run : best),
    undefined,
  );
  if (longest === undefined) return undefined;
  const { set, length } = longest;
  return { units: unitsOf(set), length, rarity: length * rarityOf(set) };
}

/** @returns where the first such run from here on begins. Where there is none, only every so many-th unit is looked at */
export function findRun(text: string, { units, length }: Run, from: number): number | undefined {
  let last = from + length - 1;
  while (last < text.length) {
    let at = last;
    while (at > last - length && units[text.charCodeAt(at)] === 1) at--;
    if (at === last - length) return at + 1;
    last = at + length;
  }
  return undefined;
}

interface SetRun {
  readonly set: CharSet;
  readonly length: number;
}

/** A character has one unit at least, hence a run of characters at least as many units. */
function runsOf(node: PatternNode): SetRun[] {
  switch (node.kind) {
    case 'sequence':
      return node.parts.flatMap(runsOf);
    case 'repeat': {
      if (node.min === 0) return [];
      return node.part.kind === 'chars' ? [{ set: node.part.set, length: node.min }] : runsOf(node.part);
    }
    case 'chars':
    case 'choice':
    case 'word-edge':
    case 'text-edge':
      return [];
  }
}
