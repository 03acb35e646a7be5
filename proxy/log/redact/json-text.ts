/** Where strings and containers of a JSON text end: found by walking, so that texts that were cut can be read too. */

const JSON_START = /^\s*[[{]/;
const SCALAR = /[A-Za-z0-9+.-]+/y;
const SPACE = 0x20;
const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;

/** Whether a text looks like a JSON object or list, whole or cut. */
export function looksLikeJson(text: string): boolean {
  return JSON_START.test(text);
}

/** @param open index of a string's opening quote; @returns index of its closing one, -1 when the text ends first */
export function closingQuote(text: string, open: number): number {
  for (let at = open + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote === -1) return -1;
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

/** @param open index of an opening bracket; @returns index behind its closing one, undefined when the text ends first */
export function containerEnd(text: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      at = closingQuote(text, at);
      if (at === -1) return undefined;
    } else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return undefined;
}

/** @returns index behind the number or literal at `start`; `start` itself when there is none */
export function scalarEnd(text: string, start: number): number {
  SCALAR.lastIndex = start;
  return SCALAR.test(text) ? SCALAR.lastIndex : start;
}

/** @returns index of the first character that is no white space */
export function pastSpace(text: string, start: number): number {
  for (let at = start; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== SPACE && code !== LF && code !== CR && code !== TAB) return at;
  }
}
