/**
 * A pattern in RE2 syntax → what it is made of, for those parts of the syntax of which it is known for certain what they match.
 * For all others there is no answer, and no filter.
 */
import { ANY, type CharSet, caseless, inverse, NOT_NEWLINE, union } from './char-set.ts';

export type PatternNode =
  /** One character. */
  | { readonly kind: 'chars'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly branches: readonly PatternNode[] }
  /** `max` may be Infinity. */
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number }
  /** `\b` or `\B`: tells by the two characters around it alone. */
  | { readonly kind: 'word-edge'; readonly source: string }
  /** `^`, `$`, `\A` or `\z`. */
  | { readonly kind: 'text-edge' };

/** Patterns that nest deeper have no filter. */
const MOST_DEPTH = 20;

/** https://github.com/google/re2/wiki/Syntax: of ASCII alone. */
const DIGITS: CharSet = [[0x30, 0x39]];
const UPPER: CharSet = [[0x41, 0x5a]];
const LOWER: CharSet = [[0x61, 0x7a]];
const POSIX: Readonly<Record<string, CharSet>> = {
  alnum: union([DIGITS, UPPER, LOWER]),
  alpha: union([UPPER, LOWER]),
  digit: DIGITS,
  lower: LOWER,
  upper: UPPER,
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  word: union([DIGITS, UPPER, [[0x5f, 0x5f]], LOWER]),
  xdigit: union([DIGITS, [[0x41, 0x46]], [[0x61, 0x66]]]),
};
const PERL: Readonly<Record<string, CharSet | undefined>> = {
  d: POSIX['digit'],
  w: POSIX['word'],
  s: [
    [0x09, 0x0a],
    [0x0c, 0x0d],
    [0x20, 0x20],
  ],
};
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const PUNCTUATION = /^[!-/:-@[-`{-~]$/;
const POSIX_CLASS = /\[:([a-z]+):\]/y;
const HEX2 = /\\x([0-9a-fA-F]{2})/y;
const COUNT = /\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/y;
const GROUP = /\((?:\?:|\?P?<[A-Za-z0-9_]+>|(?!\?))/y;

class Unknown extends Error {}

/** @returns undefined when some of the pattern is not understood */
export function parsePattern(pattern: string): PatternNode | undefined {
  const ignoresCase = pattern.startsWith('(?i)');
  const reader = new PatternReader(ignoresCase ? pattern.slice('(?i)'.length) : pattern, ignoresCase);
  try {
    return reader.whole();
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}

class PatternReader {
  readonly #pattern: string;
  readonly #ignoresCase: boolean;
  #at = 0;

  constructor(pattern: string, ignoresCase: boolean) {
    this.#pattern = pattern;
    this.#ignoresCase = ignoresCase;
  }

  whole(): PatternNode {
    const node = this.#choice(0);
    if (this.#at < this.#pattern.length) throw new Unknown();
    return node;
  }

  #choice(depth: number): PatternNode {
    if (depth > MOST_DEPTH) throw new Unknown();
    const branches = [this.#sequence(depth)];
    while (this.#takes('|')) branches.push(this.#sequence(depth));
    const [only] = branches;
    return branches.length === 1 && only !== undefined ? only : { kind: 'choice', branches };
  }

  #sequence(depth: number): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#pattern.length && !')|'.includes(this.#next())) parts.push(this.#repeat(this.#atom(depth)));
    return { kind: 'sequence', parts };
  }

  #repeat(part: PatternNode): PatternNode {
    const counts = this.#counts();
    if (counts === undefined) return part;
    // A lazy one matches the same texts, only not as much of them. What else could follow means something of its own.
    this.#takes('?');
    const isPlain = part.kind !== 'word-edge' && part.kind !== 'text-edge' && counts.max >= counts.min;
    if (!isPlain || '*+?{'.includes(this.#next() || ' ')) throw new Unknown();
    return { kind: 'repeat', part, ...counts };
  }

  #counts(): { min: number; max: number } | undefined {
    if (this.#takes('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#takes('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#takes('?')) return { min: 0, max: 1 };
    if (this.#next() !== '{') return undefined;
    const [, least, comma, most] = this.#match(COUNT);
    const min = Number(least);
    if (comma === undefined) return { min, max: min };
    return { min, max: most === undefined ? Number.POSITIVE_INFINITY : Number(most) };
  }

  #atom(depth: number): PatternNode {
    switch (this.#next()) {
      case '(':
        return this.#group(depth);
      case '[':
        return this.#chars(this.#class());
      case '.':
        this.#at++;
        return { kind: 'chars', set: NOT_NEWLINE };
      case '^':
      case '$':
        this.#at++;
        return { kind: 'text-edge' };
      case '\\':
        return this.#edge() ?? this.#chars(this.#perl() ?? single(this.#character()));
      default:
        return this.#chars(single(this.#character()));
    }
  }

  #chars(set: CharSet): PatternNode {
    const cased = this.#ignoresCase ? caseless(set) : set;
    if (cased === undefined) throw new Unknown();
    return { kind: 'chars', set: cased };
  }

  #group(depth: number): PatternNode {
    this.#match(GROUP);
    const node = this.#choice(depth + 1);
    if (!this.#takes(')')) throw new Unknown();
    return node;
  }

  #edge(): PatternNode | undefined {
    const letter = this.#pattern[this.#at + 1] ?? '';
    if (!/^[bBAz]$/.test(letter)) return undefined;
    this.#at += 2;
    return /[bB]/.test(letter) ? { kind: 'word-edge', source: `\\${letter}` } : { kind: 'text-edge' };
  }

  #class(): CharSet {
    this.#at++;
    const isInverse = this.#takes('^');
    const sets: CharSet[] = [];
    while (!this.#takes(']')) sets.push(this.#perl() ?? this.#range());
    const set = union(sets);
    if (set.length === 0) throw new Unknown();
    // What is equal but for its case is left out of an inverse too: with it in, the set is only larger.
    if (isInverse) return this.#ignoresCase ? ANY : inverse(set);
    return set;
  }

  #range(): CharSet {
    if (this.#pattern.startsWith('[:', this.#at)) return this.#posix();
    const first = this.#character(true);
    if (this.#next() !== '-' || this.#pattern[this.#at + 1] === ']') return single(first);
    this.#at++;
    const last = this.#character(true);
    if (last < first) throw new Unknown();
    return [[first, last]];
  }

  #posix(): CharSet {
    const name = this.#match(POSIX_CLASS)[1] ?? '';
    const set = Object.hasOwn(POSIX, name) ? POSIX[name] : undefined;
    if (set === undefined) throw new Unknown();
    return set;
  }

  #perl(): CharSet | undefined {
    const letter = this.#next() === '\\' ? (this.#pattern[this.#at + 1] ?? '') : '';
    const lower = letter.toLowerCase();
    const set = Object.hasOwn(PERL, lower) ? PERL[lower] : undefined;
    if (set === undefined) return undefined;
    this.#at += 2;
    return letter === lower ? set : inverse(set);
  }

  /** One that stands for itself, or an escape that stands for one. */
  #character(inClass = false): number {
    const point = this.#pattern.codePointAt(this.#at);
    if (point === undefined) throw new Unknown();
    const written = String.fromCodePoint(point);
    if (written === '\\') return this.#escaped();
    if (!inClass && '()[]{}*+?|^$'.includes(written)) throw new Unknown();
    this.#at += written.length;
    return point;
  }

  #escaped(): number {
    const letter = this.#pattern[this.#at + 1] ?? '';
    if (letter === 'x') return Number.parseInt(this.#match(HEX2)[1] ?? '', 16);
    const control = Object.hasOwn(CONTROLS, letter) ? CONTROLS[letter] : undefined;
    if (control === undefined && !PUNCTUATION.test(letter)) throw new Unknown();
    this.#at += 2;
    return control ?? letter.charCodeAt(0);
  }

  /** Empty at the end. */
  #next(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #takes(character: string): boolean {
    const isNext = this.#next() === character;
    if (isNext) this.#at++;
    return isNext;
  }

  #match(sticky: RegExp): RegExpExecArray {
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#pattern);
    if (match === null) throw new Unknown();
    this.#at = sticky.lastIndex;
    return match;
  }
}

function single(point: number): CharSet {
  return [[point, point]];
}
