/** The strings of a JSON text that hold escapes: their characters are not what they stand for. */
import { closingQuote } from './json-text.ts';
import type { Piece } from './view.ts';

/** @param json may be cut, also inside of a string */
export function escapedStrings(json: string): Piece[] {
  const pieces: Piece[] = [];
  let slash = json.indexOf('\\');
  let open = json.indexOf('"');
  while (open !== -1 && slash !== -1) {
    const quote = closingQuote(json, open);
    const end = quote === -1 ? json.length : quote;
    if (slash < open) slash = json.indexOf('\\', open);
    if (slash !== -1 && slash < end) pieces.push({ start: open + 1, end });
    open = quote === -1 ? -1 : json.indexOf('"', end + 1);
  }
  return pieces;
}
