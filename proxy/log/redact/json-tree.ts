/** A small JSON text as a tree that knows where each value stands; a text that was cut gives what came of it. */
import { unescaped } from './escapes.ts';
import { closingQuote, containerEnd, pastSpace, scalarEnd } from './json-text.ts';

export type JsonNode =
  | { readonly kind: 'object'; readonly members: readonly (readonly [name: string, value: JsonNode])[] }
  | { readonly kind: 'list'; readonly items: readonly JsonNode[]; readonly start: number; readonly end: number }
  /** Between its quotes. */
  | { readonly kind: 'string'; readonly start: number; readonly end: number }
  /** A number, a literal, or what nests too deep. */
  | { readonly kind: 'other'; readonly start: number; readonly end: number };

/** No event nests deeper; one that is made to break us may. */
const MOST_DEPTH = 24;

/** @returns undefined for what does not begin as JSON does. Never throws */
export function jsonTree(text: string): JsonNode | undefined {
  return new TreeReader(text).value(0);
}

/** The last value of the name, as readers of JSON take it. */
export function memberOf(node: JsonNode | undefined, name: string): JsonNode | undefined {
  return node?.kind === 'object' ? node.members.findLast(([each]) => each === name)?.[1] : undefined;
}

class TreeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode | undefined {
    const start = this.#space();
    const first = this.#text[start];
    if (first === '"') return this.#string();
    if ((first === '{' || first === '[') && depth < MOST_DEPTH) {
      this.#at++;
      return first === '{' ? this.#object(depth + 1) : this.#list(start, depth + 1);
    }
    const isDeep = first === '{' || first === '[';
    this.#at = isDeep ? (containerEnd(this.#text, start) ?? this.#text.length) : scalarEnd(this.#text, start);
    return this.#at === start ? undefined : { kind: 'other', start, end: this.#at };
  }

  #object(depth: number): JsonNode {
    const members: [string, JsonNode][] = [];
    while (this.#more('}') && this.#text[this.#at] === '"') {
      const { start, end } = this.#string();
      this.#space();
      if (this.#text[this.#at] !== ':') break;
      this.#at++;
      const value = this.value(depth);
      if (value === undefined) break;
      members.push([unescaped(this.#text, start, end), value]);
    }
    return { kind: 'object', members };
  }

  #list(start: number, depth: number): JsonNode {
    const items: JsonNode[] = [];
    while (this.#more(']')) {
      const value = this.value(depth);
      if (value === undefined) break;
      items.push(value);
    }
    return { kind: 'list', items, start, end: this.#at };
  }

  /** To the next member of a container. @returns false at its end, which is passed */
  #more(close: '}' | ']'): boolean {
    this.#space();
    if (this.#text[this.#at] === ',') this.#at++;
    this.#space();
    if (this.#text[this.#at] !== close) return this.#at < this.#text.length;
    this.#at++;
    return false;
  }

  #string(): JsonNode & { kind: 'string' } {
    const start = this.#at + 1;
    const quote = closingQuote(this.#text, this.#at);
    const end = quote === -1 ? this.#text.length : quote;
    this.#at = Math.min(end + 1, this.#text.length);
    return { kind: 'string', start, end };
  }

  #space(): number {
    this.#at = pastSpace(this.#text, this.#at);
    return this.#at;
  }
}
