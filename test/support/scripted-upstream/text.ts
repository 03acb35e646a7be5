/** What the scripted upstream says: the same words for the same prompt, with characters of one to four bytes. */

const VERSE =
  'Ein Strom 🌊 fließt, Byte für Byte, niemand hält ihn auf; 川は流れる, la rivière court, река течёт — every word leaves as it comes, 🚀 and what was cut is never called whole. Ünïcödé 🧵 stays in one piece.';

/** Token-like pieces: each word with the space that precedes it. */
export function answerPieces(prompt: string, words: number): string[] {
  const source = [`“${prompt.slice(0, 80)}”:`, ...VERSE.split(' ')];
  return Array.from({ length: words }, (_, index) => `${index === 0 ? '' : ' '}${source[index % source.length] ?? ''}`);
}

/** A rough count, as providers bill some four characters as one token. */
export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}
