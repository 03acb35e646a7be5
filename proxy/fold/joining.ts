/** Most events of a stream differ from the one before in a single text, which goes on: a run of them is parsed, and folded, as one. */
import type { JsonObject } from '../translate/translator.ts';
import { parseObject } from '../translate/wire/json.ts';
import type { Folder, GrowingFolder } from './folder.ts';

/** An event's data, as it was written, around the text that goes on. */
interface Shape {
  /** To the opening quote. */
  readonly head: string;
  /** From the closing quote. */
  readonly tail: string;
}

/** What may stand in a string of JSON (RFC 8259, section 7): put together, such pieces are such a string again. */
const STRING_PIECE = /^(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*$/;
/** Longer ones are few, and would be of no gain. */
const LONGEST_PIECE = 4096;
/** So many shapes may fit no other event before no more are looked for: some servers number or pad their events. */
const MOST_IN_VAIN = 8;

export class JoiningFolder implements Folder {
  readonly #folder: GrowingFolder;
  #shape: Shape | undefined;
  /** Of the run that is not folded yet. */
  #pieces: string[] = [];
  #inVain = 0;

  constructor(folder: GrowingFolder) {
    this.#folder = folder;
  }

  get whole(): boolean {
    return this.#settled().whole;
  }

  result(): JsonObject | undefined {
    return this.#settled().result();
  }

  push(data: string | JsonObject): void {
    const piece = typeof data === 'string' ? this.#pieceOf(data) : undefined;
    if (piece === undefined) this.#begin(data);
    else this.#pieces.push(piece);
  }

  #settled(): GrowingFolder {
    if (this.#shape !== undefined && this.#pieces.length > 0) {
      this.#folder.push(this.#shape.head + this.#pieces.join('') + this.#shape.tail);
      this.#pieces = [];
      this.#inVain = 0;
    }
    return this.#folder;
  }

  /** The text of an event that is as those before it but for that. */
  #pieceOf(data: string): string | undefined {
    if (this.#shape === undefined) return undefined;
    const { head, tail } = this.#shape;
    const end = data.length - tail.length;
    if (end < head.length || end - head.length > LONGEST_PIECE) return undefined;
    // As startsWith() and endsWith() tell, which take ten times as long for what is so long.
    if (data.slice(0, head.length) !== head || data.slice(end) !== tail) return undefined;
    const piece = data.slice(head.length, end);
    return STRING_PIECE.test(piece) ? piece : undefined;
  }

  #begin(data: string | JsonObject): void {
    const folder = this.#settled();
    // What held before an event need not hold behind it: a text may have become a list.
    this.#shape = undefined;
    if (typeof data !== 'string' || this.#inVain >= MOST_IN_VAIN) {
      folder.push(data);
      return;
    }
    const event = parseObject(data);
    folder.push(event ?? data);
    this.#shape = event && this.#shapeOf(data, event);
    if (this.#shape !== undefined) this.#inVain++;
  }

  #shapeOf(data: string, event: JsonObject): Shape | undefined {
    const name = this.#folder.growing(event);
    const start = name === undefined ? -1 : lastStringOf(name, data);
    if (start === -1) return undefined;
    const end = closingQuote(data, start);
    const shape = { head: data.slice(0, start), tail: data.slice(end) };
    // Without the text nothing goes on: it was this one, and not another of the same name.
    const rest = parseObject(shape.head + shape.tail);
    return rest === undefined || this.#folder.growing(rest) !== undefined ? undefined : shape;
  }
}

/** Where the last string under the name begins, behind its opening quote; -1 when there is none. */
function lastStringOf(name: string, data: string): number {
  const ends = [`"${name}":"`, `"${name}": "`].map((opening) => {
    const at = data.lastIndexOf(opening);
    return at === -1 ? -1 : at + opening.length;
  });
  return Math.max(...ends);
}

function closingQuote(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === '\\') at++;
  }
  return text.length;
}
