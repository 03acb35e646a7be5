/** Sets of code points, as the classes of a pattern mean them. A set that is too large never makes a filter wrong. */

/** Ranges of code points, both ends in, in order, none touching another. */
export type CharSet = readonly (readonly [first: number, last: number])[];

const LAST_POINT = 0x10ffff;
const SURROGATES: CharSet = [[0xd800, 0xdfff]];
const UNITS = 0x10000;
/** What stands for a letter of ASCII where case is ignored, beside the letter's other case. */
const FOLDED_ONTO: Readonly<Record<string, number>> = { s: 0x17f, k: 0x212a };
const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz');

export const ANY: CharSet = [[0, LAST_POINT]];
export const NOT_NEWLINE: CharSet = inverse([[0x0a, 0x0a]]);

export function union(sets: readonly CharSet[]): CharSet {
  const ranges = sets.flat().toSorted(([a], [b]) => a - b);
  const result: [number, number][] = [];
  for (const [first, last] of ranges) {
    const before = result.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

export function inverse(set: CharSet): CharSet {
  const result: [number, number][] = [];
  let from = 0;
  for (const [first, last] of set) {
    if (first > from) result.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= LAST_POINT) result.push([from, LAST_POINT]);
  return result;
}

export function sizeOf(set: CharSet): number {
  return set.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function has(set: CharSet, point: number): boolean {
  return set.some(([first, last]) => point >= first && point <= last);
}

/** @returns the set and what differs from it in case only; undefined for a set with more than ASCII, or than all else */
export function caseless(set: CharSet): CharSet | undefined {
  if (sizeOf(set) > LAST_POINT / 2) return ANY;
  if ((set.at(-1)?.[1] ?? 0) > 0x7f) return undefined;
  const more: CharSet[] = LETTERS.flatMap((letter) => {
    const points = [letter.codePointAt(0) ?? 0, letter.toUpperCase().codePointAt(0) ?? 0];
    const other = FOLDED_ONTO[letter];
    if (!points.some((point) => has(set, point))) return [];
    return [...points, ...(other === undefined ? [] : [other])].map((point): CharSet => [[point, point]]);
  });
  return union([set, ...more]);
}

/** The set as a class of a native pattern with the flag `u`. */
export function classSource(set: CharSet): string {
  const point = (code: number): string => `\\u{${code.toString(16)}}`;
  const ranges = set.map(([first, last]) => (first === last ? point(first) : `${point(first)}-${point(last)}`));
  return `[${ranges.join('')}]`;
}

/** @returns for each UTF-16 unit whether it may be of a character of the set: 1, else 0. All surrogates are, or none */
export function unitsOf(set: CharSet): Uint8Array {
  const isWide = (set.at(-1)?.[1] ?? 0) >= UNITS || set.some(([first, last]) => last >= 0xd800 && first <= 0xdfff);
  const units = new Uint8Array(UNITS);
  for (const [first, last] of isWide ? union([set, SURROGATES]) : set) units.fill(1, first, Math.min(last + 1, UNITS));
  return units;
}
