/** Reads the events of a stream's text and tells where their data stands in it, so that places in the one are places in the other. */
import type { Piece } from './view.ts';

/** As it is read byte by byte or as text. */
const BYTE_ORDER_MARKS = ['\uFEFF', '\u00EF\u00BB\u00BF'];

/** From a place in an event's data to that in the stream's text. */
export type ToSource = (piece: Piece) => Piece;

export interface PlacedEvent {
  /** Undefined where the stream gives none (Chat Completions). */
  readonly name: string | undefined;
  readonly data: string;
  readonly place: ToSource;
  /** Of the event in the text, with the blank line that ends it, if it has one. */
  readonly start: number;
  readonly end: number;
  /** The text goes on behind it, or ends with its blank line. */
  readonly isWhole: boolean;
}

/** One line of an event's data. */
interface Line {
  /** In the data. */
  readonly end: number;
  /** From a place in the data to that in the stream's text. */
  readonly shift: number;
}

function moving(moved: (at: number) => number): ToSource {
  return ({ start, end, echoes }) => ({
    start: moved(start),
    end: moved(end),
    ...(echoes && { echoes: echoes.map((echo) => ({ ...echo, start: moved(echo.start), end: moved(echo.end) })) }),
  });
}

function shiftAt(lines: readonly Line[], at: number): number {
  let low = 0;
  for (let high = lines.length - 1; low < high; ) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.end ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return lines[low]?.shift ?? 0;
}

/** Lines of data are joined by line feeds (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
class EventData {
  readonly #lines: Line[] = [];
  data = '';

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** @param start of the line's value in the stream's text */
  add(value: string, start: number): void {
    if (this.#lines.length > 0) this.data += '\n';
    this.#lines.push({ end: this.data.length + value.length, shift: start - this.data.length });
    this.data += value;
  }

  place(): ToSource {
    const lines = this.#lines;
    const shift = lines[0]?.shift ?? 0;
    return lines.length === 1 ? moving((at) => at + shift) : moving((at) => at + shiftAt(lines, at));
  }
}

/** Reads a stream that is there as a text; the last event may lack its end. */
export class PlacedEvents {
  readonly #text: string;
  #at: number;
  /** The next carriage return and the next line feed, which may be behind: a stream may have none of one of them. */
  #return = -1;
  #feed = -1;

  constructor(text: string) {
    this.#text = text;
    this.#at = BYTE_ORDER_MARKS.find((mark) => text.startsWith(mark))?.length ?? 0;
  }

  /** Where the next event begins. */
  get at(): number {
    return this.#at;
  }

  /** @param end of an event that needs no reading */
  skipTo(end: number): void {
    this.#at = end;
  }

  /** @returns the next event that has data, undefined at the end */
  next(): PlacedEvent | undefined {
    let start = this.#at;
    let name: string | undefined;
    let said = new EventData();
    while (this.#at < this.#text.length) {
      const lineStart = this.#at;
      const line = this.#line();
      if (line === '') {
        if (!said.isEmpty) return this.#event(start, name, said, true);
        [start, name, said] = [this.#at, undefined, new EventData()];
      } else if (line.startsWith('data')) {
        const value = valueAt(line, 'data');
        if (value !== undefined) said.add(line.slice(value), lineStart + value);
      } else if (line.startsWith('event')) {
        const value = valueAt(line, 'event');
        if (value !== undefined) name = line.slice(value) || undefined;
      }
    }
    return said.isEmpty ? undefined : this.#event(start, name, said, false);
  }

  #event(start: number, name: string | undefined, said: EventData, isWhole: boolean): PlacedEvent {
    return { name, data: said.data, place: said.place(), start, end: this.#at, isWhole };
  }

  /** The line, without its end, which is passed. */
  #line(): string {
    const start = this.#at;
    const text = this.#text;
    if (this.#return < start) this.#return = indexOrEnd(text, '\r', start);
    if (this.#feed < start) this.#feed = indexOrEnd(text, '\n', start);
    const end = Math.min(this.#feed, this.#return);
    this.#at = Math.min(end + (this.#feed === end + 1 && text[end] === '\r' ? 2 : 1), text.length);
    return text.slice(start, end);
  }
}

function indexOrEnd(text: string, searched: string, from: number): number {
  const index = text.indexOf(searched, from);
  return index === -1 ? text.length : index;
}

/** Where a field's value begins in its line; undefined when the line is of another field. */
function valueAt(line: string, field: string): number | undefined {
  const colon = field.length;
  if (line.length === colon) return colon;
  if (line[colon] !== ':') return undefined;
  return line[colon + 1] === ' ' ? colon + 2 : colon + 1;
}
