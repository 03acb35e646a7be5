/** What a person types → a query of the full-text index. Everything is quoted, so that no input is an error or an operator. */

/** Longer questions are cut: each word is a look into the index. */
const MOST_WORDS = 32;
/** A shorter beginning stands for so many words that the index would be busy for seconds; its * is passed over. */
const LEAST_BEGINNING = 3;

/**
 * Words and "phrases" must all be there; a * after three letters or more stands for any end of the word.
 * @returns undefined when nothing is asked for
 */
export function matchText(text: string): string | undefined {
  // SQLite ends a text at a NUL, and the quote that follows would be missing.
  const words = [...text.replaceAll('\0', ' ').matchAll(/"([^"]*)"?(\*?)|([^\s"]+)/g)].slice(0, MOST_WORDS);
  const terms = words.flatMap(([, phrase, star = '', word = '']) => {
    const begins = phrase === undefined ? word.endsWith('*') : star === '*';
    const term = phrase ?? (begins ? word.replace(/\*+$/, '') : word);
    // What holds no letter, digit or sign of its own is no word for the index.
    return /[\p{L}\p{N}\p{Co}\p{So}]/u.test(term)
      ? [`"${term}"${begins && term.length >= LEAST_BEGINNING ? '*' : ''}`]
      : [];
  });
  return terms.length > 0 ? terms.join(' ') : undefined;
}
