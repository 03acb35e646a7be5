/** What every match of a pattern has in it: a run of characters, and bounded parts of the pattern. */

import { type Bounded, boundedOf, either, followed, times } from './bounded.ts';
import { type CharSet, sizeOf } from './char-set.ts';
import type { PatternNode } from './parse-pattern.ts';

/** @returns the longest run that is found in every match; empty when there is none */
export function requiredLiteral(node: PatternNode): string {
  const runs: string[] = [''];
  addLiterals(node, runs);
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}

/** The last of the runs goes on; an empty one behind it ends it. */
function addLiterals(node: PatternNode, runs: string[]): void {
  switch (node.kind) {
    case 'chars':
      if (sizeOf(node.set) === 1) runs.push((runs.pop() ?? '') + String.fromCodePoint(firstOf(node.set)));
      else runs.push('');
      return;
    case 'sequence':
      for (const part of node.parts) addLiterals(part, runs);
      return;
    case 'repeat':
      if (node.min > 0) addLiterals(node.part, runs);
      if (node.min !== 1 || node.max !== 1) runs.push('');
      return;
    case 'choice':
      runs.push('');
      return;
    case 'word-edge':
    case 'text-edge':
  }
}

function firstOf(set: CharSet): number {
  return set[0]?.[0] ?? 0;
}

/** @returns conditions of which every match fulfils each somewhere within; those that tell nothing are left out */
export function requiredParts(node: PatternNode): Bounded[] {
  const collector = new Collector();
  collector.add(node);
  collector.cut();
  return collector.parts.filter(({ least, rarity }) => least > 0 && rarity > 0);
}

/** The part that is met most seldom. */
export function rarest(parts: readonly Bounded[]): Bounded | undefined {
  return parts.reduce<Bounded | undefined>(
    (best, part) => (part.rarity > (best?.rarity ?? 0) ? part : best),
    undefined,
  );
}

class Collector {
  readonly parts: Bounded[] = [];
  /** What stands right before the node that comes next. */
  #open: Bounded | undefined;

  add(node: PatternNode): void {
    if (node.kind === 'sequence') {
      for (const part of node.parts) this.add(part);
      return;
    }
    const bounded = boundedOf(node);
    if (bounded !== undefined) this.#append(bounded);
    else if (node.kind === 'repeat') this.#addRepeat(node);
    else {
      this.cut();
      const branches =
        node.kind === 'choice' ? either(node.branches.map((branch) => rarest(requiredParts(branch)))) : undefined;
      if (branches !== undefined) this.parts.push(branches);
    }
  }

  /** Ends the part that goes on. */
  cut(): void {
    if (this.#open !== undefined) this.parts.push(this.#open);
    this.#open = undefined;
  }

  #append(bounded: Bounded): void {
    const longer = followed(this.#open, bounded);
    if (longer === undefined) this.cut();
    this.#open = longer ?? bounded;
  }

  /** One without an end, or with too many ways through it: what stands before it goes on with its first, what comes after with its last. */
  #addRepeat({ part, min }: PatternNode & { kind: 'repeat' }): void {
    const least = min === 0 ? undefined : fewest(boundedOf(part), min);
    if (least !== undefined) this.#append(least);
    this.cut();
    if (min > 0 && least === undefined) this.parts.push(...requiredParts(part));
    this.#open = least;
  }
}

/** As many as can be afforded. */
function fewest(part: Bounded | undefined, min: number): Bounded | undefined {
  for (let count = min; count > 0; count >>= 1) {
    const some = times(part, count, count);
    if (some !== undefined) return some;
  }
  return undefined;
}
