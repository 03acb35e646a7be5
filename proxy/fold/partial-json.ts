/** JSON that arrived in fragments, also when its end is missing: the arguments of a tool call that was cut off. */
import type { JsonValue } from '../translate/translator.ts';
import { parseJson } from '../translate/wire/json.ts';

/** @returns the value; of a text that was cut, what is certain of it; undefined when nothing is */
export function parsePartialJson(text: string): JsonValue | undefined {
  return parseJson(text) ?? parseJson(completed(text));
}

/** The text up to where it makes sense, with all that is open closed. */
function completed(text: string): string {
  const open: string[] = [];
  let inString = false;
  /** Where the last whole value ended; nothing was opened or closed since. */
  let safeEnd = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
      continue;
    }
    if (character === '"') inString = true;
    else if (character === '{' || character === '[') {
      open.push(character === '{' ? '}' : ']');
      safeEnd = i + 1;
    } else if (character === '}' || character === ']') {
      open.pop();
      safeEnd = i + 1;
    } else if (character === ',') safeEnd = i;
  }
  // A cut text value is kept as far as it came, unless it turns out to be a name or ends inside an escape.
  const closers = open.toReversed().join('');
  const kept = inString ? `${text}"${closers}` : `${text}${closers}`;
  return parseJson(kept) === undefined ? text.slice(0, safeEnd) + closers : kept;
}
