/**
 * Replaces the values at given paths of a JSON text and leaves every other byte as it was. It walks the text instead of parsing
 * it, so that a body that was cut can be redacted too; what it cannot follow it hides to the end, rather than let it through.
 */
import { REDACTED } from '../headers.ts';
import { closingQuote, containerEnd, pastSpace, scalarEnd } from './json-text.ts';

/** Keys and indexes; `*` stands for every element of an array. */
export type JsonPath = readonly (string | number)[];

export interface RedactedText {
  readonly text: string;
  readonly count: number;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

const REPLACEMENT = JSON.stringify(REDACTED);

/** @param text one or several JSON documents, the last of which may be cut short */
export function redactJsonPaths(text: string, paths: readonly JsonPath[]): RedactedText {
  if (paths.length === 0) return { text, count: 0 };
  const spans: Span[] = [];
  new Walk(text, spans).document(paths);
  if (spans.length === 0) return { text, count: 0 };
  let out = '';
  let from = 0;
  for (const { start, end } of spans) {
    out += text.slice(from, start) + REPLACEMENT;
    from = end;
  }
  return { text: out + text.slice(from), count: spans.length };
}

/** Containers that are being walked; depth costs memory here and no stack. */
interface Level {
  readonly close: '}' | ']';
  /** What is left of the paths that lead through this container. */
  readonly paths: readonly JsonPath[];
  index: number;
}

class Walk {
  readonly #text: string;
  readonly #spans: Span[];
  readonly #levels: Level[] = [];
  #at = 0;

  constructor(text: string, spans: Span[]) {
    this.#text = text;
    this.#spans = spans;
  }

  document(paths: readonly JsonPath[]): void {
    // Several documents in a row are walked one by one, as in bodies of JSON lines.
    while (this.#value(paths)) {
      while (this.#levels.length > 0) if (!this.#member()) return;
    }
  }

  /** The next member or element of the innermost container, or its end. @returns whether to go on */
  #member(): boolean {
    const level = this.#levels.at(-1);
    if (level === undefined) return false;
    this.#space();
    if (this.#text[this.#at] === ',') this.#at++;
    this.#space();
    if (this.#at >= this.#text.length) return false;
    if (this.#text[this.#at] === level.close) {
      this.#at++;
      this.#levels.pop();
      return true;
    }
    if (level.close === ']') return this.#value(step(level.paths, level.index++));
    return this.#keyed(level);
  }

  #keyed(level: Level): boolean {
    const start = this.#at;
    if (this.#text[start] !== '"') return this.#lost();
    const end = this.#stringEnd(start);
    if (end === undefined) return this.#lost();
    const raw = this.#text.slice(start + 1, end - 1);
    this.#at = end;
    this.#space();
    if (this.#at >= this.#text.length) return false;
    if (this.#text[this.#at] !== ':') return this.#lost();
    this.#at++;
    const key = raw.includes('\\') ? unescaped(raw) : raw;
    if (key === undefined) return this.#lost();
    return this.#value(step(level.paths, key));
  }

  /** @param paths what is left of each path at this value; an empty one means that it is to be hidden */
  #value(paths: readonly JsonPath[]): boolean {
    this.#space();
    const start = this.#at;
    if (start >= this.#text.length) return false;
    const hide = paths.some((path) => path.length === 0);
    const first = this.#text[start];
    if (!hide && (first === '{' || first === '[')) {
      this.#at++;
      if (paths.length === 0) return this.#passContainer();
      this.#levels.push({ close: first === '{' ? '}' : ']', paths, index: 0 });
      return true;
    }
    const end = this.#valueEnd(start);
    if (end === start) return this.#lost();
    if (hide) this.#spans.push({ start, end: end ?? this.#text.length });
    this.#at = end ?? this.#text.length;
    return end !== undefined;
  }

  /** No path leads into this container: to its end without looking at the members. */
  #passContainer(): boolean {
    const end = containerEnd(this.#text, this.#at - 1);
    this.#at = end ?? this.#text.length;
    return end !== undefined;
  }

  /** End of the value at `start`; undefined when the text ends first, `start` itself when there is no value. */
  #valueEnd(start: number): number | undefined {
    const first = this.#text[start];
    if (first === '"') return this.#stringEnd(start);
    if (first === '{' || first === '[') return containerEnd(this.#text, start);
    return scalarEnd(this.#text, start);
  }

  #stringEnd(start: number): number | undefined {
    const quote = closingQuote(this.#text, start);
    return quote === -1 ? undefined : quote + 1;
  }

  #space(): void {
    this.#at = pastSpace(this.#text, this.#at);
  }

  /** Here the text is no JSON: what follows may hold anything, so all of it is hidden. */
  #lost(): false {
    if (this.#at < this.#text.length) this.#spans.push({ start: this.#at, end: this.#text.length });
    this.#at = this.#text.length;
    return false;
  }
}

function step(paths: readonly JsonPath[], key: string | number): JsonPath[] {
  const rest: JsonPath[] = [];
  for (const path of paths) {
    const [head, ...tail] = path;
    if (head === key || (head === '*' && typeof key === 'number')) rest.push(tail);
  }
  return rest;
}

function unescaped(raw: string): string | undefined {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return undefined;
  }
}
