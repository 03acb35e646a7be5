/** JSON with masks in it, read all the same: one that stands where a number or a member stood is no JSON. */
import type { JsonValue } from '../../translate/translator.ts';
import { parseJson } from '../../translate/wire/json.ts';
import { REDACTED } from '../headers.ts';
import { closingQuote } from './json-text.ts';

/** Outside of strings: masks, with what is left of the number around them; what opens or ends a member on both sides. */
const BARE_MASKS = /([{,]\s*)?(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]*(?:\[redacted\][A-Za-z0-9+.-]*)+(?=(\s*[,}])?)/g;
const QUOTED = JSON.stringify(REDACTED);

/**
 * @param text JSON after redaction by patterns
 * @param parse undefined for what it cannot read
 * @returns undefined for what is no JSON even when each mask counts as a value, or as a member
 */
export function parseMasked(text: string, parse = parseJson): JsonValue | undefined {
  const value = parse(text);
  if (value !== undefined || !text.includes(REDACTED)) return value;
  return parse(mended(text, QUOTED)) ?? parse(mended(text, `${QUOTED}:${QUOTED}`));
}

/** @param member what stands for a mask that has a member's place */
function mended(text: string, member: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const open = indexOrEnd(text.indexOf('"', at), text);
    const close = open < text.length ? closingQuote(text, open) : -1;
    const end = indexOrEnd(close, text);
    const between = text.slice(at, open).replace(BARE_MASKS, (_all, before?: string, after?: string) => {
      return (before ?? '') + (before !== undefined && after !== undefined ? member : QUOTED);
    });
    parts.push(between, text.slice(open, end + 1));
    at = end + 1;
  }
  return parts.join('');
}

function indexOrEnd(index: number, text: string): number {
  return index === -1 ? text.length : index;
}
