/** What PostgreSQL's jsonb cannot hold, replaced in JSON text where it stands: bytes, as records of many MiB shall not become strings. */

const [BACKSLASH, U, ZERO, D] = [0x5c, 0x75, 0x30, 0x64];
const ESCAPE_BYTES = 6;
const REPLACEMENT = Buffer.from('\\ufffd');
/** Without their backslash, of which a record has one every few characters: these are quick to rule out, in native code. */
const SUSPECTS = ['u0000', 'ud', 'uD'].map((text) => Buffer.from(text));
/** Words with these letters; with more of them the escapes themselves are looked at. */
const MOST_WORDS = 100;

/**
 * jsonb takes neither NUL nor half a surrogate pair, which JSON text can write as escapes.
 * @returns the text itself when there is nothing to replace, or else a copy; both are of the same length
 */
export function storable(json: Buffer): { readonly json: Buffer; readonly replaced: number } {
  const places = SUSPECTS.some((suspect) => mayEscape(json, suspect)) ? unstorable(json) : [];
  if (places.length === 0) return { json, replaced: 0 };
  const copy = Buffer.from(json);
  for (const place of places) REPLACEMENT.copy(copy, place);
  return { json: copy, replaced: places.length };
}

function mayEscape(json: Buffer, suspect: Buffer): boolean {
  let at = json.indexOf(suspect);
  for (let words = 0; at !== -1 && words < MOST_WORDS; words++) {
    if (json[at - 1] === BACKSLASH) return true;
    at = json.indexOf(suspect, at + 1);
  }
  return at !== -1;
}

/** Where escapes begin that cannot be stored; each escape in turn, so that an escaped backslash hides nothing. */
function unstorable(json: Buffer): number[] {
  const places: number[] = [];
  const { length } = json;
  for (let at = 0; at < length; at++) {
    if (json[at] !== BACKSLASH) continue;
    if (json[at + 1] !== U) {
      at += 1;
      continue;
    }
    const isPair = surrogate(json, at) === 'high' && surrogate(json, at + ESCAPE_BYTES) === 'low';
    if (!isPair && (isNul(json, at) || surrogate(json, at) !== undefined)) places.push(at);
    at += (isPair ? 2 : 1) * ESCAPE_BYTES - 1;
  }
  return places;
}

function isNul(json: Buffer, at: number): boolean {
  return [2, 3, 4, 5].every((place) => json[at + place] === ZERO);
}

/** Which half of a pair the escape at this place is, if any. */
function surrogate(json: Buffer, at: number): 'high' | 'low' | undefined {
  if (json[at] !== BACKSLASH || json[at + 1] !== U || lowerCase(json[at + 2]) !== D) return undefined;
  const second = lowerCase(json[at + 3]);
  if (second < ZERO + 8) return undefined;
  return second === ZERO + 8 || second === ZERO + 9 || second === 0x61 || second === 0x62 ? 'high' : 'low';
}

/** Of an ASCII letter; digits stay. */
function lowerCase(byte = 0): number {
  return byte | 0x20;
}
