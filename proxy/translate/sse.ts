/**
 * Server-sent events for translated streams: the upstream's bytes in any chunking → its events, our events → bytes. Only
 * translation re-serialises a stream; native paths pass bytes and read along with the tap's own scanner.
 */
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { JsonObject } from './translator.ts';

/** Characters that one line or event may hold before its end arrives; beyond it the stream counts as broken. */
const MAX_EVENT_CHARS = 32 * 1024 ** 2;

/** One event as it was read; `name` is undefined where the stream gives none (Chat Completions). */
export interface SseEvent {
  readonly name: string | undefined;
  readonly data: string;
}

/** Bytes in any chunking → events, each as soon as it is complete. */
export class SseEventReader {
  readonly #parser: EventSourceParser;
  // One decoder for the whole stream: a character may be cut by a chunk's end. The parser removes the byte order mark.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #overflown = false;

  /**
   * Both are called in order, while push() or end() runs.
   * @param onEvent for each event that has data
   * @param onComment for each comment line: servers keep quiet connections alive with them
   */
  constructor(onEvent: (event: SseEvent) => void, onComment?: () => void) {
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ event, data }) => onEvent({ name: event, data }),
      onComment: () => onComment?.(),
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded') this.#overflown = true;
      },
    });
  }

  /** An event grew beyond what is held; nothing that follows is read. */
  get overflown(): boolean {
    return this.#overflown;
  }

  push(chunk: Buffer): void {
    this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The bytes ended in order: an event that lacks only its last line ends is taken as complete. */
  end(): void {
    this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  #feed(text: string): void {
    if (text !== '' && !this.#overflown) this.#parser.feed(text);
  }
}

/** Gathers events until they are taken as bytes. */
export class SseEventWriter {
  #text = '';

  /** @param name `event:` line; undefined for forms whose events have no names */
  event(name: string | undefined, data: JsonObject): void {
    this.raw(name, JSON.stringify(data));
  }

  /** An event whose data is no JSON, such as `[DONE]`; one line. */
  raw(name: string | undefined, data: string): void {
    if (name !== undefined) this.#text += `event: ${name}\n`;
    this.#text += `data: ${data}\n\n`;
  }

  /** A line that no reader takes for an event, which may stand between any two: a sign of life. */
  comment(): void {
    this.#text += ': keep-alive\n\n';
  }

  /** @returns what was written since the last call */
  take(): Buffer {
    const bytes = Buffer.from(this.#text, 'utf8');
    this.#text = '';
    return bytes;
  }
}
