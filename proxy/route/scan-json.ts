/**
 * Finds the top-level `model` and `stream` of a JSON object while its bytes arrive, in chunks of any size, without parsing
 * or keeping the rest, and where the values of further keys lie. It follows strings, escapes and nesting, and validates
 * nothing: that is the upstream's business.
 */

/** Where a value lies in the body, in bytes; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A value whose end may not have come yet. */
export interface OpenSpan {
  readonly start: number;
  readonly end: number | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
/** A model's name that is longer than this is none; it also bounds what a key may cost. */
const MAX_KEPT_BYTES = 4096;

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const opens = (byte: number): boolean => byte === 0x7b || byte === 0x5b;
const closes = (byte: number): boolean => byte === 0x7d || byte === 0x5d;

export class TopLevelScanner {
  #model: string | undefined;
  #modelSpan: Span | undefined;
  #stream: boolean | undefined;
  #duplicate: string | undefined;
  #finished = false;
  readonly #seen = new Set<string>();
  readonly #spans = new Map<string, OpenSpan>();
  #watched: readonly string[] = [];

  /** Bytes before the current chunk. */
  #offset = 0;
  #depth = 0;
  #expects: 'key' | 'colon' | 'value' | 'comma' = 'key';
  #key = '';
  /** Inside a string: an odd run of backslashes ended the last chunk. */
  #inString = false;
  #escaped = false;
  /** Inside a number or literal at the top level. */
  #inScalar = false;
  #valueStart = 0;
  /** Bytes of the key or value that is being read, when they matter. */
  #kept: Buffer[] | undefined;
  #keptBytes = 0;

  /** The top-level `model`, when it is a string and was read whole. */
  get model(): string | undefined {
    return this.#model;
  }

  /** The bytes of the model's value, quotes included. */
  get modelSpan(): Span | undefined {
    return this.#modelSpan;
  }

  get stream(): boolean | undefined {
    return this.#stream;
  }

  /** A key that occurs twice: parsers differ in which one counts, so nobody may route by it. */
  get duplicate(): string | undefined {
    return this.#duplicate;
  }

  /** The object was closed, or the body is no JSON object. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Nothing more can be learned that routing needs. */
  get satisfied(): boolean {
    if (this.#finished) return true;
    if (!this.#seen.has('model') || !this.#seen.has('stream')) return false;
    return this.#watched.every((key) => this.#seen.has(key));
  }

  /** Looks for the values of these keys as well; to be called before the first byte. */
  watch(keys: readonly string[]): void {
    this.#watched = keys;
  }

  get watched(): readonly string[] {
    return this.#watched;
  }

  /** Where a watched key's value lies; undefined before its first byte came. */
  spanOf(key: string): OpenSpan | undefined {
    return this.#spans.get(key);
  }

  push(chunk: Buffer): void {
    let index = 0;
    while (index < chunk.length && !this.#finished) {
      if (this.#inString) index = this.#readString(chunk, index);
      else if (this.#inScalar) index = this.#readScalar(chunk, index);
      else if (this.#depth > 1) index = this.#skipNested(chunk, index);
      else index = this.#readTopLevel(chunk, index);
    }
    this.#offset += chunk.length;
  }

  #readTopLevel(chunk: Buffer, index: number): number {
    const byte = chunk[index] as number;
    if (isSpace(byte)) return index + 1;
    if (this.#depth === 0) return this.#readOpening(byte, index);
    if (closes(byte)) this.#finished = true;
    else if (byte === COLON && this.#expects === 'colon') this.#expects = 'value';
    else if (byte === COMMA && this.#expects === 'comma') this.#expects = 'key';
    else if (this.#expects === 'key' || this.#expects === 'value') return this.#beginToken(byte, index);
    else this.#finished = true;
    return index + 1;
  }

  #readOpening(byte: number, index: number): number {
    const position = this.#offset + index;
    if (position < BYTE_ORDER_MARK.length && byte === BYTE_ORDER_MARK[position]) return index + 1;
    if (byte === 0x7b) this.#depth = 1;
    else this.#finished = true;
    return index + 1;
  }

  /** @returns where to go on: a scalar's first byte is read again, as it belongs to it */
  #beginToken(byte: number, index: number): number {
    this.#valueStart = this.#offset + index;
    const matters = this.#expects === 'key' || this.#key === 'model' || this.#key === 'stream';
    this.#kept = matters ? [] : undefined;
    this.#keptBytes = 0;
    if (this.#expects === 'value' && this.#watched.includes(this.#key)) {
      this.#spans.set(this.#key, { start: this.#valueStart, end: undefined });
    }
    if (byte === QUOTE) {
      this.#inString = true;
      this.#escaped = false;
      this.#keep(Buffer.of(QUOTE));
      return index + 1;
    }
    if (this.#expects === 'key') {
      this.#finished = true;
      return index + 1;
    }
    if (opens(byte)) {
      this.#depth += 1;
      this.#kept = undefined;
      return index + 1;
    }
    this.#inScalar = true;
    return index;
  }

  #readString(chunk: Buffer, from: number): number {
    let search = from;
    for (;;) {
      const quote = chunk.indexOf(QUOTE, search);
      const end = quote === -1 ? chunk.length : quote;
      const escaped = this.#endsEscaped(chunk, from, end);
      if (quote === -1) {
        this.#escaped = escaped;
        this.#keep(chunk.subarray(from));
        return chunk.length;
      }
      if (!escaped) {
        this.#inString = false;
        this.#keep(chunk.subarray(from, quote + 1));
        this.#endToken(this.#offset + quote + 1);
        return quote + 1;
      }
      search = quote + 1;
    }
  }

  /** Whether the byte at `end` is escaped: an odd run of backslashes stands before it, which may have begun in an earlier chunk. */
  #endsEscaped(chunk: Buffer, from: number, end: number): boolean {
    let run = 0;
    while (end - 1 - run >= from && chunk[end - 1 - run] === BACKSLASH) run += 1;
    const carried = end - run === from && this.#escaped ? 1 : 0;
    return (run + carried) % 2 === 1;
  }

  #readScalar(chunk: Buffer, from: number): number {
    let index = from;
    while (index < chunk.length) {
      const byte = chunk[index] as number;
      if (byte === COMMA || closes(byte) || isSpace(byte)) break;
      index += 1;
    }
    this.#keep(chunk.subarray(from, index));
    if (index < chunk.length) {
      this.#inScalar = false;
      this.#endToken(this.#offset + index);
    }
    return index;
  }

  #skipNested(chunk: Buffer, from: number): number {
    for (let index = from; index < chunk.length; index += 1) {
      const byte = chunk[index] as number;
      if (byte === QUOTE) {
        this.#inString = true;
        this.#escaped = false;
        return index + 1;
      }
      if (opens(byte)) this.#depth += 1;
      else if (closes(byte)) {
        this.#depth -= 1;
        if (this.#depth === 1) {
          this.#endToken(this.#offset + index + 1);
          return index + 1;
        }
      }
    }
    return chunk.length;
  }

  #keep(bytes: Buffer): void {
    if (!this.#kept) return;
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > MAX_KEPT_BYTES) this.#kept = undefined;
    else this.#kept.push(bytes);
  }

  #endToken(end: number): void {
    if (this.#depth > 1) return;
    const text = this.#kept && Buffer.concat(this.#kept).toString('utf8');
    this.#kept = undefined;
    if (this.#expects === 'key') {
      this.#key = unquote(text) ?? '';
      this.#expects = 'colon';
      return;
    }
    this.#expects = 'comma';
    if (this.#key === 'model' || this.#key === 'stream' || this.#watched.includes(this.#key)) {
      this.#note(this.#key, text, end);
    }
  }

  #note(key: string, text: string | undefined, end: number): void {
    if (this.#seen.has(key)) this.#duplicate ??= key;
    this.#seen.add(key);
    const span = this.#spans.get(key);
    if (span) this.#spans.set(key, { start: span.start, end });
    if (key === 'stream') this.#stream = text === 'true';
    if (key !== 'model') return;
    this.#model = unquote(text);
    if (this.#model !== undefined) this.#modelSpan = { start: this.#valueStart, end };
  }
}

/** A JSON string's value, escapes resolved; undefined when the text is none. */
function unquote(text: string | undefined): string | undefined {
  if (!text?.startsWith('"')) return undefined;
  if (!text.includes('\\')) return text.slice(1, -1);
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
