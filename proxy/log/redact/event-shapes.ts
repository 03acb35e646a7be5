/** Most events of a stream differ from one before in a single text: these are told from its two sides, without reading them. */
import type { PlacedEvent } from './data-places.ts';
import type { Fragment } from './fragments.ts';

/** An event, as it stands in the stream, around its one growing text. */
interface Shape {
  /** To the text's opening quote. */
  readonly head: string;
  /** From its closing quote to behind the blank line. */
  readonly tail: string;
  readonly text: Fragment['text'];
}

/** So many texts may grow in turn. */
const MOST_SHAPES = 4;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LF = 0x0a;
const CR = 0x0d;

export class EventShapes {
  readonly #stream: string;
  /** The one that was added last comes first. */
  #shapes: Shape[] = [];

  /** @param stream text of all events */
  constructor(stream: string) {
    this.#stream = stream;
  }

  /** @param only what the event has to be told by, with nothing else in it that has escapes. Its piece is one of the stream */
  add({ start, end, isWhole }: PlacedEvent, { text, piece }: Fragment): void {
    const head = this.#stream.slice(start, piece.start);
    const tail = this.#stream.slice(piece.end, end);
    const isPlain = !head.includes('\\') && tail.startsWith('"') && !tail.includes('\\');
    if (!isWhole || piece.echoes !== undefined || !isPlain) return;
    this.#shapes = [{ head, tail, text }, ...this.#shapes.slice(0, MOST_SHAPES - 1)];
  }

  /**
   * @param at where an event begins
   * @returns its fragment, when it is as one before but for its text, which may be empty now; and where the event ends
   */
  find(at: number): (Fragment & { readonly end: number }) | undefined {
    for (const { head, tail, text } of this.#shapes) {
      if (!this.#stands(head, at)) continue;
      const start = at + head.length;
      const end = this.#closingQuote(start);
      if (this.#stands(tail, end)) return { text, piece: { start, end }, end: end + tail.length };
    }
    return undefined;
  }

  /** As startsWith() tells, which takes ten times as long for what is so long. */
  #stands(part: string, at: number): boolean {
    return this.#stream.slice(at, at + part.length) === part;
  }

  /** Where the string ends that begins at `at`, or its line. */
  #closingQuote(at: number): number {
    for (let end = at; ; end++) {
      const code = this.#stream.charCodeAt(end);
      if (code === BACKSLASH) end++;
      else if (code === QUOTE || code === LF || code === CR || Number.isNaN(code)) return end;
    }
  }
}
