/**
 * An event that comes again and again with another text in it: its bytes around the text. Nearly all events of a stream are such,
 * so most of them can be told, and their text found, by comparing bytes instead of parsing JSON.
 */

/** Stands for any text. A word of JSON that needs no escapes and would be a syntax error anywhere but inside a string. */
export const PROBE = 'sluiceProbe';

/** Members that hide a text's length behind as many random characters as it takes: OpenAI's, Mistral's. */
const PADDING = /"(?:obfuscation|p)": ?"/;

/** Where texts stand in a chunk: pairs of their first byte and the byte behind their last one, of which `length` numbers count. */
export interface Spans {
  readonly at: number[];
  length: number;
  /** Any text has characters beyond ASCII. */
  wide: boolean;
}

/** What may vary between two fixed parts: characters of a string, or spaces (Anthropic pads the end of its data with them). */
type Gap = 'characters' | 'spaces';

export class Stencil {
  /** Up to the text, with its opening quote. */
  readonly #head: Buffer;
  /** From the text's closing quote on; between two of them is a gap. */
  readonly #tails: readonly Buffer[];
  readonly #gaps: readonly Gap[];

  /**
   * @param head of an event, which is copied: a chunk of the network would keep more alive than its own bytes
   * @param tail of the same event
   */
  constructor(head: Buffer, tail: Buffer) {
    const { fixed, gaps } = cutTail(tail.toString('latin1'));
    this.#head = Buffer.from(head);
    this.#tails = fixed.map((part) => Buffer.from(part, 'latin1'));
    this.#gaps = gaps;
  }

  /** The event with the probe as its text, and in its padding. */
  probed(): Buffer {
    const tail = this.#tails.flatMap((part, at) =>
      this.#gaps[at] === 'characters' ? [part, Buffer.from(PROBE)] : [part],
    );
    return Buffer.concat([this.#head, Buffer.from(PROBE), ...tail]);
  }

  /** @returns whether the chunk consists of such events and nothing else; then `spans` tells their texts */
  match(chunk: Buffer, spans: Spans): boolean {
    spans.length = 0;
    spans.wide = false;
    let at = 0;
    while (at < chunk.length) {
      at = this.#event(chunk, at, spans);
      if (at === NONE) return false;
    }
    return spans.length > 0;
  }

  /** @returns where the event ends */
  #event(chunk: Buffer, from: number, spans: Spans): number {
    if (!isAt(chunk, from, this.#head)) return NONE;
    const start = from + this.#head.length;
    let at = textEnd(chunk, start, spans);
    if (at === NONE) return NONE;
    spans.at[spans.length++] = start;
    spans.at[spans.length++] = at;
    for (let part = 0; part < this.#tails.length; part++) {
      const tail = this.#tails[part] as Buffer;
      if (!isAt(chunk, at, tail)) return NONE;
      at = gapEnd(chunk, at + tail.length, this.#gaps[part]);
    }
    return at;
  }
}

/** @returns the stencil of an event whose text is known; undefined when the text is not found as JSON is written by most */
export function stencilOf(event: Buffer, text: string): Stencil | undefined {
  const literal = Buffer.from(JSON.stringify(text));
  const at = event.indexOf(literal);
  if (at === -1) return undefined;
  return new Stencil(event.subarray(0, at + 1), event.subarray(at + literal.length - 1));
}

const NONE = -1;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** What may follow a backslash: the escapes that JSON.stringify writes itself, but for the numbered ones. */
const ESCAPED = new Set(Array.from('"\\bfnrt', (letter) => letter.charCodeAt(0)));

function cutTail(tail: string): { fixed: string[]; gaps: Gap[] } {
  const fixed: string[] = [];
  const gaps: Gap[] = [];
  const padding = PADDING.exec(tail);
  let rest = tail;
  if (padding) {
    const start = padding.index + padding[0].length;
    fixed.push(tail.slice(0, start));
    gaps.push('characters');
    rest = tail.slice(start).replace(/^[^"]*/, '');
  }
  // In front of the last brace spaces mean nothing.
  const brace = /^(.*?) *(\}[\r\n]*)$/s.exec(rest);
  if (brace) {
    fixed.push(brace[1] as string);
    gaps.push('spaces');
    rest = brace[2] as string;
  }
  fixed.push(rest);
  return { fixed, gaps };
}

function isAt(chunk: Buffer, at: number, part: Buffer): boolean {
  const end = at + part.length;
  return end <= chunk.length && chunk.compare(part, 0, part.length, at, end) === 0;
}

/** @returns where the text's closing quote is; none when it is empty or holds anything that would be written in another way */
function textEnd(chunk: Buffer, start: number, spans: Spans): number {
  for (let at = start; at < chunk.length; at++) {
    const byte = chunk[at] as number;
    if (byte === QUOTE) return at === start ? NONE : at;
    if (byte < SPACE) return NONE;
    if (byte === BACKSLASH && !ESCAPED.has(chunk[++at] as number)) return NONE;
    if (byte > 0x7f) spans.wide = true;
  }
  return NONE;
}

function gapEnd(chunk: Buffer, start: number, gap: Gap | undefined): number {
  let at = start;
  if (gap === 'spaces') while (chunk[at] === SPACE) at++;
  else if (gap === 'characters') while (isPlain(chunk[at])) at++;
  return at;
}

/** A character that stands for itself in a string. */
function isPlain(byte: number | undefined): boolean {
  return byte !== undefined && byte >= SPACE && byte < 0x7f && byte !== QUOTE && byte !== BACKSLASH;
}
