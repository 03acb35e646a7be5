/** Escapes in strings of JSON: their lengths and what they stand for. What is no escape stands for itself, so that nothing fails. */

const HEX4 = /^[0-9a-fA-F]{4}$/;
const MEANING: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
/** What may follow the backslash. */
const KNOWN = /[bfnrtu"\\/]/;
/** `\uABCD` */
const LONGEST = 6;

/** Length of the character or escape at `at`, which always stands for one UTF-16 unit. @param end of the string */
export function escapeLength(text: string, at: number, end: number): number {
  if (text[at] !== '\\' || at + 1 >= end) return 1;
  return text[at + 1] === 'u' && at + LONGEST <= end && HEX4.test(text.slice(at + 2, at + LONGEST)) ? LONGEST : 2;
}

/** @returns the string between `start` and `end` with its escapes undone */
export function unescaped(text: string, start: number, end: number): string {
  // Of the string alone: a search through the text behind it, for each of its strings, takes the square of its length.
  const raw = text.slice(start, end);
  let slash = raw.indexOf('\\');
  if (slash === -1) return raw;
  const parts: string[] = [];
  let from = 0;
  while (slash !== -1) {
    const next = slash + escapeLength(raw, slash, raw.length);
    parts.push(raw.slice(from, slash), meaning(raw.slice(slash, next)));
    from = next;
    slash = raw.indexOf('\\', from);
  }
  parts.push(raw.slice(from));
  return parts.join('');
}

/** @param written an escape, or a backslash that the text ends behind */
function meaning(written: string): string {
  if (written.length === LONGEST) return String.fromCharCode(Number.parseInt(written.slice(2), 16));
  const letter = written[1] ?? written;
  return Object.hasOwn(MEANING, letter) ? (MEANING[letter] ?? letter) : letter;
}

/**
 * @param from where no escape is under way, at most `at`
 * @returns where the escape ends that has `at` inside of it; `at` when there is none
 */
export function escapeEnd(text: string, at: number, from: number): number {
  for (let slash = at - 1; slash >= from && slash > at - LONGEST; slash--) {
    if (text[slash] !== '\\') continue;
    let first = slash;
    while (first > from && text[first - 1] === '\\') first--;
    // One of an even number of backslashes is itself escaped.
    const begins = (slash - first) % 2 === 0;
    const end = slash + (begins ? escapeLength(text, slash, text.length) : 0);
    return end > at && KNOWN.test(text[slash + 1] ?? '') ? end : at;
  }
  return at;
}
