/** Views of a recorded event stream: the texts that its deltas give when put together, and single strings with escapes. */
import { type PlacedEvent, PlacedEvents } from './data-places.ts';
import { escapedStrings } from './escaped-strings.ts';
import { EventShapes } from './event-shapes.ts';
import { fragmentsOf, GrowingText } from './fragments.ts';
import { looksLikeJson } from './json-text.ts';
import { type JsonNode, jsonTree, memberOf } from './json-tree.ts';
import { View } from './view.ts';

const DATA_LINE = /(?:^\uFEFF?|[\r\n])data:/;

/** Whether a text has what every event stream has. */
export function looksLikeEvents(text: string): boolean {
  return DATA_LINE.test(text);
}

/** @param text of the stream, which may be cut anywhere; what of it are no events with JSON has no views */
export function streamViews(text: string): View[] {
  const stream = new StreamReading(text);
  while (stream.next());
  return stream.views();
}

class StreamReading {
  readonly #text: string;
  readonly #events: PlacedEvents;
  readonly #answers: GrowingText[] = [];
  /** Single strings. */
  readonly #views: View[] = [];
  #shapes: EventShapes;

  constructor(text: string) {
    this.#text = text;
    this.#events = new PlacedEvents(text);
    this.#shapes = new EventShapes(text);
  }

  /** Reads one event. @returns false at the end */
  next(): boolean {
    const known = this.#shapes.find(this.#events.at);
    if (known !== undefined) {
      known.text.pieces.push(known.piece);
      this.#events.skipTo(known.end);
      return true;
    }
    const event = this.#events.next();
    if (event !== undefined && looksLikeJson(event.data)) this.#read(event);
    return event !== undefined;
  }

  views(): View[] {
    const grown = this.#answers.flatMap((answer) => [...answer.all()]).filter(({ pieces }) => pieces.length > 0);
    return [...this.#views, ...grown.map(({ pieces }) => new View(this.#text, pieces))];
  }

  #read(placed: PlacedEvent): void {
    const { name, data, place } = placed;
    const event = jsonTree(data);
    if (event === undefined) return;
    const fragments = fragmentsOf(event, data, name, this.#answer(event, data));
    for (const { text, piece } of fragments) text.pieces.push(place(piece));
    // A fragment is looked at as a part of its text.
    const starts = new Set(fragments.map(({ piece }) => piece.start));
    for (const piece of escapedStrings(data))
      if (!starts.has(piece.start)) this.#views.push(new View(this.#text, [place(piece)]));
    const [only, ...others] = fragments;
    if (only !== undefined && others.length === 0) this.#shapes.add(placed, { ...only, piece: place(only.piece) });
  }

  /** What the event continues: each message is an answer of its own. */
  #answer(event: JsonNode, data: string): GrowingText {
    const type = memberOf(event, 'type');
    const opens = type?.kind === 'string' && data.slice(type.start, type.end) === 'message_start';
    const last = this.#answers.at(-1);
    if (last !== undefined && !opens) return last;
    const next = new GrowingText();
    this.#answers.push(next);
    this.#shapes = new EventShapes(this.#text);
    return next;
  }
}
