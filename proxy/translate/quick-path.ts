/**
 * The quick path of a translated stream: chunks that only lengthen what is being written, which are nearly all, become our events
 * without JSON being parsed or written. How they look is learned from the stream itself and proved by the general path's own
 * readers; whatever looks otherwise goes the general path, so that both always give the same bytes.
 */
import { isUtf8 } from 'node:buffer';
import { type SseEvent, SseEventReader, SseEventWriter } from './sse.ts';
import { PROBE, type Spans, type Stencil, stencilOf } from './stencil.ts';
import type { JsonObject } from './translator.ts';
import { parseJson } from './wire/json.ts';

/** All that an event says: one more piece of text, of reasoning, or of a call's arguments. */
export interface Piece {
  readonly kind: 'text' | 'thinking' | 'call';
  /** Of the call, or of the block, by the upstream's count. */
  readonly index: number;
  /** Not empty. */
  readonly text: string;
}

/** Our own event with any text: its bytes around it. */
export interface Frame {
  readonly before: Buffer;
  readonly after: Buffer;
}

/** What becomes of pieces of one kind and index at this moment. */
export interface Passage {
  readonly frame: Frame;
  /**
   * Notes what passes; absent where nothing has to be known of it.
   * @param text of one chunk, not empty
   * @returns false: nothing was noted, and the general path has to take the chunk
   */
  readonly take?: ((text: string) => boolean) | undefined;
}

export interface QuickPathOptions {
  /** @returns undefined for events that say anything beside, or that the general path would not know */
  readonly pieceOf: (event: SseEvent) => Piece | undefined;
  /** @returns undefined when the general path would do more with such a piece than write one event about it */
  readonly passage: (piece: Piece) => Passage | undefined;
}

/** After so many chunks that did not fit, the next is looked at; so often again for each stencil in a row that served nothing. */
const FIRST_PAUSE = 4;
const MOST_PAUSE = 1024;
/** Longer events are none of which there are many. */
const MOST_BYTES = 4096;

export class QuickPath {
  readonly #options: QuickPathOptions;
  readonly #spans: Spans = { at: [], length: 0, wide: false };
  #piece: Piece | undefined;
  #stencil: Stencil | undefined;
  /** The bytes so far end with an event: whoever reads events holds nothing of what comes next. */
  #between = false;
  #pause = FIRST_PAUSE;
  #nextPause = FIRST_PAUSE;
  #reading: SseEvent[] = [];
  #reader: SseEventReader | undefined;

  constructor(options: QuickPathOptions) {
    this.#options = options;
  }

  /** @returns our events; undefined when the chunk has to go the general path, and then nothing was noted of it */
  pass(chunk: Buffer): Buffer | undefined {
    if (this.#stencil === undefined || this.#piece === undefined || !this.#between) return undefined;
    const passage = this.#options.passage(this.#piece);
    const spans = this.#spans;
    if (passage === undefined || !this.#stencil.match(chunk, spans)) return undefined;
    // What is no text would be written as replacement characters.
    if (spans.wide && !isUtf8(chunk)) return undefined;
    if (passage.take !== undefined && !passage.take(textIn(chunk, spans))) return undefined;
    this.#pause = 0;
    this.#nextPause = FIRST_PAUSE;
    return framed(chunk, spans, passage.frame);
  }

  /** The general path took the chunk: the next ones may look like it. */
  learn(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const isWhole = this.#between;
    this.#between = endsEvent(chunk);
    if (!isWhole || !this.#between || --this.#pause >= 0) return;
    this.#pause = FIRST_PAUSE;
    const piece = chunk.length > MOST_BYTES ? undefined : this.#pieceIn(chunk);
    if (piece === undefined || this.#options.passage(piece) === undefined) return;
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(2 * this.#nextPause, MOST_PAUSE);
    this.#adopt(chunk, piece);
  }

  #adopt(chunk: Buffer, piece: Piece): void {
    const stencil = stencilOf(chunk, piece.text);
    const probed = stencil && this.#pieceIn(stencil.probed());
    // The general path's own readers find the probe where the text was, and everything else as it was: so it is with any text.
    if (probed?.text !== PROBE || probed.kind !== piece.kind || probed.index !== piece.index) return;
    this.#stencil = stencil;
    this.#piece = piece;
  }

  #pieceIn(chunk: Buffer): Piece | undefined {
    this.#reader ??= new SseEventReader(
      (event) => this.#reading.push(event),
      () => this.#reading.push(COMMENT),
    );
    this.#reading = [];
    this.#reader.push(chunk);
    const [event] = this.#reading;
    return event === undefined || this.#reading.length > 1 ? undefined : this.#options.pieceOf(event);
  }
}

/** @returns the frame of an event that was made with the probe as its text; undefined when the probe is somewhere else as well */
export function frameOf(name: string | undefined, data: JsonObject): Frame | undefined {
  const writer = new SseEventWriter();
  writer.event(name, data);
  const [before, after, ...others] = writer.take().toString('utf8').split(PROBE);
  if (before === undefined || after === undefined || others.length > 0) return undefined;
  return { before: Buffer.from(before), after: Buffer.from(after) };
}

/** In place of a comment, which is no event and yet passed on. */
const COMMENT: SseEvent = { name: undefined, data: '' };

const LF = 0x0a;
const CR = 0x0d;

/** Behind a blank line a reader of events, and a decoder of characters, are as they were at the beginning. */
function endsEvent(chunk: Buffer): boolean {
  const { length } = chunk;
  if (chunk[length - 1] !== LF) return false;
  return chunk[length - 2] === LF || (chunk[length - 2] === CR && chunk[length - 3] === LF);
}

function textIn(chunk: Buffer, { at, length }: Spans): string {
  let text = '';
  for (let span = 0; span < length; span += 2)
    text += parseJson(chunk.toString('utf8', (at[span] as number) - 1, (at[span + 1] as number) + 1)) as string;
  return text;
}

/** One event for each text. */
function framed(chunk: Buffer, { at, length }: Spans, { before, after }: Frame): Buffer {
  let bytes = (length / 2) * (before.length + after.length);
  for (let span = 0; span < length; span += 2) bytes += (at[span + 1] as number) - (at[span] as number);
  const out = Buffer.allocUnsafe(bytes);
  let to = 0;
  for (let span = 0; span < length; span += 2) {
    out.set(before, to);
    to += before.length;
    to += chunk.copy(out, to, at[span], at[span + 1]);
    out.set(after, to);
    to += after.length;
  }
  return out;
}
