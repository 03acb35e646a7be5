/** The strings of JSON that cannot be parsed, as it was cut or has masks in it: read one by one, whatever is between them. */
import { unescaped } from '../redact/escapes.ts';
import { closingQuote, containerEnd, pastSpace } from '../redact/json-text.ts';

/** Stricter than what is asked of JSON that is only redacted: a text may begin with a word in brackets. */
const JSON_START = /^\s*(?:\{\s*(?:["[]|$)|\[\s*(?:["{[]|$))/;

export function looksLikeBrokenJson(text: string): boolean {
  return JSON_START.test(text);
}

export interface StringsWanted {
  /** Names of members that are passed over with all that is in them. */
  readonly silent: ReadonlySet<string>;
  /** Containers in containers; what is deeper is passed over. */
  readonly mostDepth: number;
}

/** @returns the values, without names, their escapes undone; the last may be cut. Never throws */
export function stringsOf(json: string, wanted: StringsWanted): string[] {
  const reader = new StringReader(json, wanted);
  while (reader.next());
  return reader.texts;
}

class StringReader {
  readonly texts: string[] = [];
  readonly #json: string;
  readonly #wanted: StringsWanted;
  /** What is open, from the outside; deeper ones are only counted. */
  readonly #open: string[] = [];
  #depth = 0;
  #at = 0;
  /** The character before, without white space. */
  #before = '';

  constructor(json: string, wanted: StringsWanted) {
    this.#json = json;
    this.#wanted = wanted;
  }

  /** @returns false at the end */
  next(): boolean {
    this.#at = pastSpace(this.#json, this.#at);
    const char = this.#json[this.#at];
    if (char === undefined) return false;
    if (char === '"') this.#string();
    else {
      if (char === '{' || char === '[') this.#enter(char);
      else if (char === '}' || char === ']') this.#depth = Math.max(0, this.#depth - 1);
      this.#at++;
    }
    this.#before = char;
    return true;
  }

  #enter(container: string): void {
    if (this.#depth < this.#wanted.mostDepth) this.#open[this.#depth] = container;
    this.#depth++;
  }

  #string(): void {
    const start = this.#at + 1;
    const quote = closingQuote(this.#json, this.#at);
    const end = quote === -1 ? this.#json.length : quote;
    const isCutName = quote === -1 && this.#before !== ':' && this.#open[this.#depth - 1] === '{';
    this.#at = pastSpace(this.#json, end + 1);
    if (this.#json[this.#at] === ':') {
      if (this.#wanted.silent.has(unescaped(this.#json, start, end))) this.#passValue();
    } else if (!isCutName && this.#depth <= this.#wanted.mostDepth) this.texts.push(unescaped(this.#json, start, end));
  }

  /** From the colon to behind the text or container; anything else holds no strings. */
  #passValue(): void {
    const start = pastSpace(this.#json, this.#at + 1);
    const first = this.#json[start];
    const isContainer = first === '{' || first === '[';
    if (first === '"') this.#at = endOr(closingQuote(this.#json, start), this.#json) + 1;
    else this.#at = isContainer ? (containerEnd(this.#json, start) ?? this.#json.length) : start;
  }
}

function endOr(index: number, text: string): number {
  return index === -1 ? text.length : index;
}
