/** A text made of pieces of another: strings of JSON with their escapes undone, put together where a stream cut them. */
import { escapeLength, unescaped } from './escapes.ts';
import type { Span } from './span.ts';

/** What is between the quotes of a string. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** What tells the same as the piece in another form, and is hidden whole when a part of the piece is. */
  readonly echoes?: readonly Span[];
}

export class View {
  readonly text: string;
  readonly #source: string;
  readonly #pieces: readonly Piece[];
  /** Lengths of the pieces with their escapes undone. */
  readonly #lengths: readonly number[];

  constructor(source: string, pieces: readonly Piece[]) {
    const texts = pieces.map(({ start, end }) => unescaped(source, start, end));
    this.text = texts.join('');
    this.#source = source;
    this.#pieces = pieces;
    this.#lengths = texts.map(({ length }) => length);
  }

  /**
   * @param spans of the view's text, in order, none overlapping
   * @returns the same places of the source. What a span puts stands in the first of its pieces
   */
  inSource(spans: readonly Span[]): Span[] {
    const result: Span[] = [];
    let next = 0;
    let base = 0;
    for (const [index, piece] of this.#pieces.entries()) {
      const end = base + (this.#lengths[index] ?? 0);
      const cursor = new PieceCursor(this.#source, piece, base, end);
      const before = result.length;
      for (let span = spans[next]; span !== undefined && span.start < end; span = spans[next]) {
        const from = Math.max(span.start, base);
        const to = Math.min(span.end, end);
        if (to > from)
          result.push({ start: cursor.at(from), end: cursor.at(to), put: from === span.start ? span.put : '' });
        if (span.end > end) break;
        next++;
      }
      if (result.length > before) result.push(...(piece.echoes ?? []));
      base = end;
    }
    return result;
  }
}

/** Goes through one piece, forward only, so that many spans cost no more than one. */
class PieceCursor {
  readonly #source: string;
  readonly #piece: Piece;
  readonly #isPlain: boolean;
  #offset: number;
  #at: number;

  constructor(source: string, piece: Piece, base: number, end: number) {
    this.#source = source;
    this.#piece = piece;
    this.#isPlain = end - base === piece.end - piece.start;
    this.#offset = base;
    this.#at = piece.start;
  }

  /** @param offset in the view's text, not before the one asked for last */
  at(offset: number): number {
    if (this.#isPlain) {
      this.#at += offset - this.#offset;
      this.#offset = offset;
    }
    while (this.#offset < offset) {
      this.#at += escapeLength(this.#source, this.#at, this.#piece.end);
      this.#offset++;
    }
    return this.#at;
  }
}
