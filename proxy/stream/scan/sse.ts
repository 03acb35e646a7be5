/**
 * Server-sent events over bytes: chunks of any size in, whole events out, as spans of buffers. No text is decoded, and where
 * an event lies whole in one chunk nothing is copied. Line rules: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;

/** Of one event this much is kept; what comes beyond is passed over, but for its tail. */
export const EVENT_LIMIT_BYTES = 64 * 1024;
/** The last bytes of an event beyond the limit: where `usage` stands in a long `response.completed`. */
const TAIL_BYTES = 4 * 1024;

const NOTHING = Buffer.alloc(0);

export class SseReader {
  /** Name of the event that is being dispatched; empty span: it has none. */
  name: Buffer = NOTHING;
  nameStart = 0;
  nameEnd = 0;
  /** Its data, at most EVENT_LIMIT_BYTES. */
  data: Buffer = NOTHING;
  dataStart = 0;
  dataEnd = 0;
  /** Whether the data is longer than what is kept; then `tail` holds its last bytes. */
  oversize = false;
  tail: Buffer = NOTHING;

  readonly #dispatch: () => void;
  /** The part of an unfinished line that earlier chunks brought. */
  #carry: Buffer = NOTHING;
  #carryBytes = 0;
  #carryCut = false;
  #carryTail: Buffer = NOTHING;
  /** Whether a line of the event that is being gathered was seen. */
  #open = false;
  #hasData = false;
  /** Whether `data` is our own buffer, to which further data lines can be added. */
  #ownData = false;
  #firstLine = true;
  #skipLf = false;
  #sawCrLf = false;

  /** @param dispatch called at the end of each event that has data; reads the public fields, which are valid until it returns */
  constructor(dispatch: () => void) {
    this.#dispatch = dispatch;
  }

  /** Whether the bytes so far end between two events. After a lone CR that may yet become CRLF they do not. */
  get atBoundary(): boolean {
    return !this.#open && this.#carryBytes === 0 && !(this.#skipLf && this.#sawCrLf);
  }

  /** The next chunk: the buffer, or the part of it. */
  push(chunk: Buffer, from = 0, end = chunk.length): void {
    let at = from;
    if (this.#skipLf && at < end) {
      this.#skipLf = false;
      if (chunk[at] === LF) {
        this.#sawCrLf = true;
        at++;
      }
    }
    let cr = indexIn(chunk, CR, at, end);
    while (at < end) {
      let eol = chunk[at] === LF ? at : indexIn(chunk, LF, at, end);
      if (cr < at) cr = indexIn(chunk, CR, at, end);
      if (cr < eol) eol = cr;
      if (eol === end) {
        this.#hold(chunk, at, end);
        return;
      }
      this.#endLine(chunk, at, eol);
      at = eol + 1;
      if (eol === cr) at = this.#passLf(chunk, at, end);
    }
  }

  /** Behind a CR: an LF belongs to the same line end, be it in this chunk or the first byte of the next. */
  #passLf(chunk: Buffer, at: number, end: number): number {
    if (at === end) {
      this.#skipLf = true;
      return at;
    }
    if (chunk[at] !== LF) return at;
    this.#sawCrLf = true;
    return at + 1;
  }

  #endLine(chunk: Buffer, start: number, end: number): void {
    if (this.#carryBytes === 0) {
      if (end - start > EVENT_LIMIT_BYTES) {
        this.#line(chunk, start, start + EVENT_LIMIT_BYTES, chunk.subarray(Math.max(start, end - TAIL_BYTES), end));
      } else this.#line(chunk, start, end, undefined);
      return;
    }
    this.#hold(chunk, start, end);
    const line = this.#carry;
    const bytes = this.#carryBytes;
    const tail = this.#carryCut ? this.#carryTail : undefined;
    // The line's spans may outlive this chunk, so the carry is given away and not written again.
    this.#carry = NOTHING;
    this.#carryBytes = 0;
    this.#carryCut = false;
    this.#carryTail = NOTHING;
    this.#line(line, 0, bytes, tail);
  }

  #line(line: Buffer, lineStart: number, end: number, tail: Buffer | undefined): void {
    let start = lineStart;
    if (this.#firstLine) {
      this.#firstLine = false;
      if (end - start >= 3 && line[start] === 0xef && line[start + 1] === 0xbb && line[start + 2] === 0xbf) start += 3;
    }
    if (start === end) {
      this.#endEvent();
      return;
    }
    if (line[start] === COLON) return;
    this.#open = true;
    if (isField(line, start, end, DATA)) this.#addData(line, valueStart(line, start + DATA.length, end), end, tail);
    else if (isField(line, start, end, EVENT)) {
      this.name = line;
      this.nameStart = valueStart(line, start + EVENT.length, end);
      this.nameEnd = end;
    }
  }

  #addData(line: Buffer, start: number, end: number, tail: Buffer | undefined): void {
    if (!this.#hasData) {
      this.#hasData = true;
      this.data = line;
      this.dataStart = start;
      this.dataEnd = end;
    } else this.#joinData(line, start, end);
    if (tail !== undefined) {
      this.oversize = true;
      this.tail = tail;
    }
  }

  /** Further data lines of one event are joined by a newline; rare, so they are copied. */
  #joinData(line: Buffer, start: number, end: number): void {
    const have = this.dataEnd - this.dataStart;
    const room = Math.max(0, EVENT_LIMIT_BYTES - have - 1);
    const add = Math.min(room, end - start);
    if (add < end - start || room === 0) {
      this.oversize = true;
      this.tail = line.subarray(Math.max(start, end - TAIL_BYTES), end);
    }
    if (room === 0) return;
    if (!this.#ownData || this.data.length < this.dataEnd + 1 + add) {
      const grown = Buffer.allocUnsafe(Math.min(EVENT_LIMIT_BYTES, 2 * (have + 1 + add)));
      this.data.copy(grown, 0, this.dataStart, this.dataEnd);
      this.data = grown;
      this.dataStart = 0;
      this.dataEnd = have;
      this.#ownData = true;
    }
    this.data[this.dataEnd] = LF;
    line.copy(this.data, this.dataEnd + 1, start, start + add);
    this.dataEnd += 1 + add;
  }

  #endEvent(): void {
    if (this.#hasData) this.#dispatch();
    if (!this.#open) return;
    this.name = NOTHING;
    this.nameStart = 0;
    this.nameEnd = 0;
    this.data = NOTHING;
    this.dataStart = 0;
    this.dataEnd = 0;
    this.oversize = false;
    this.tail = NOTHING;
    this.#open = false;
    this.#hasData = false;
    this.#ownData = false;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const add = Math.min(end - start, EVENT_LIMIT_BYTES - this.#carryBytes);
    if (this.#carryBytes + add > this.#carry.length) {
      const grown = Buffer.allocUnsafe(Math.min(EVENT_LIMIT_BYTES, Math.max(512, 2 * (this.#carryBytes + add))));
      this.#carry.copy(grown, 0, 0, this.#carryBytes);
      this.#carry = grown;
    }
    chunk.copy(this.#carry, this.#carryBytes, start, start + add);
    this.#carryBytes += add;
    if (start + add < end) this.#passOver(chunk, start + add, end);
  }

  /** Of what exceeds the limit only the last bytes of the line are kept. */
  #passOver(chunk: Buffer, start: number, end: number): void {
    const before = this.#carryCut ? this.#carryTail : this.#carry.subarray(Math.max(0, this.#carryBytes - TAIL_BYTES));
    this.#carryCut = true;
    if (end - start >= TAIL_BYTES) {
      this.#carryTail = chunk.subarray(end - TAIL_BYTES, end);
      return;
    }
    const keep = Math.min(before.length, TAIL_BYTES - (end - start));
    this.#carryTail = Buffer.concat([before.subarray(before.length - keep), chunk.subarray(start, end)]);
  }
}

/** @returns where the byte comes next in the part of the buffer; its end when it does not */
function indexIn(buffer: Buffer, byte: number, from: number, end: number): number {
  const at = buffer.indexOf(byte, from);
  return at === -1 || at > end ? end : at;
}

const DATA = Buffer.from('data');
const EVENT = Buffer.from('event');

/** Whether the line's field name is the given one: the name, then a colon or the line's end. */
function isField(line: Buffer, start: number, end: number, name: Buffer): boolean {
  const after = start + name.length;
  return spanIs(line, start, Math.min(after, end), name) && (after === end || line[after] === COLON);
}

function valueStart(line: Buffer, colon: number, end: number): number {
  if (colon >= end) return end;
  return colon + 1 < end && line[colon + 1] === SPACE ? colon + 2 : colon + 1;
}

/** Whether a span of bytes equals a word. */
export function spanIs(buffer: Buffer, start: number, end: number, word: Buffer): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (buffer[start + i] !== word[i]) return false;
  return true;
}
