/** How deep JSON nests, told from its text: what walks through a value recursively must not be given one that exhausts the stack. */

/** Far beyond what conversations, schemas and arguments need, and far below what the stack holds. */
export const MOST_LEVELS = 500;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** @param text JSON, or what is meant as such: whether it is any is the parser's business */
export function nestsTooDeep(text: string): boolean {
  // Most texts have not even so many characters.
  if (text.length <= MOST_LEVELS) return false;
  let levels = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = endOfString(text, index);
    // { and [, then } and ], differ in one bit.
    else if ((code & 0xdf) === 0x5b) levels += 1;
    else if ((code & 0xdf) === 0x5d) levels -= 1;
    if (levels > MOST_LEVELS) return true;
  }
  return false;
}

/** Index of the quote that closes the string; the text's length when none does. */
function endOfString(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let run = 0;
    while (text.charCodeAt(quote - 1 - run) === BACKSLASH) run += 1;
    if (run % 2 === 0) return quote;
  }
  return text.length;
}
