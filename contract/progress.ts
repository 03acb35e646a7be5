/**
 * Progress that a tool loop puts into an answer, and how it is taken out again. Each piece stands between two marks of characters
 * that nobody sees, so that it can be found even where a client has joined the blocks of an answer to one string.
 */

/** INVISIBLE SEPARATOR, WORD JOINER, INVISIBLE SEPARATOR, INVISIBLE PLUS: no text of people has them in this order. */
export const PROGRESS_START = '\u2063\u2060\u2063\u2064';
/** Ends every piece of progress: the sentinel by which it is known. */
export const PROGRESS_SENTINEL = '\u2063\u2060\u2064\u2063';

const PIECE = new RegExp(`${PROGRESS_START}[^\u2063]*${PROGRESS_SENTINEL}`, 'g');
/** A mark whose other half was lost, such as at the cut of a record's body. */
const LONE_MARK = new RegExp(`${PROGRESS_START}|${PROGRESS_SENTINEL}`, 'g');

/** @param text one line, such as `🔧 Executing search…` */
export function markProgress(text: string): string {
  return `${PROGRESS_START}${text.replaceAll('\u2063', '')}\n${PROGRESS_SENTINEL}`;
}

/** Whether a text holds progress, or a piece of it. */
export function hasProgress(text: string): boolean {
  return text.includes(PROGRESS_START) || text.includes(PROGRESS_SENTINEL);
}

/** The text without any progress; the same string when there is none. */
export function stripProgress(text: string): string {
  return hasProgress(text) ? text.replaceAll(PIECE, '').replaceAll(LONE_MARK, '') : text;
}
