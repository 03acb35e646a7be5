/**
 * A cursor over JSON bytes that finds members without parsing: nothing is allocated, and a value that nobody asked for is
 * passed over at about a nanosecond a byte. It is no validator: what it cannot follow makes it stop (`failed`).
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
export const OPEN_OBJECT = 0x7b;
export const OPEN_ARRAY = 0x5b;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;

export class JsonCursor {
  /** Span of the key found last, without its quotes; escapes in it are not undone. */
  keyStart = 0;
  keyEnd = 0;
  buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #failed = false;

  get failed(): boolean {
    return this.#failed;
  }

  /** Where the value begins that comes next. */
  get at(): number {
    return this.#at;
  }

  reset(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.#failed = false;
    this.#space();
  }

  /** First byte of the value that comes next; -1 at the end. */
  peek(): number {
    return this.#at < this.#end ? (this.buffer[this.#at] ?? -1) : -1;
  }

  /** Steps into an object or array. @returns whether the next value is one */
  enter(open: number): boolean {
    if (this.peek() !== open) return false;
    this.#at++;
    this.#space();
    return true;
  }

  /** To the next member of the object entered: its key is in keyStart and keyEnd, its value comes next. @returns false at the object's end */
  nextKey(): boolean {
    if (!this.#nextOf(CLOSE_OBJECT)) return false;
    if (this.peek() !== QUOTE) return this.#fail();
    this.keyStart = this.#at + 1;
    this.#string();
    this.keyEnd = this.#at - 1;
    this.#space();
    if (this.peek() !== COLON) return this.#fail();
    this.#at++;
    this.#space();
    return !this.#failed;
  }

  /** To the next element of the array entered. @returns false at the array's end */
  nextElement(): boolean {
    return this.#nextOf(CLOSE_ARRAY);
  }

  /** Passes over the value that comes next. @returns where it ended */
  skip(): number {
    const first = this.peek();
    if (first === QUOTE) this.#string();
    else if (first === OPEN_OBJECT || first === OPEN_ARRAY) this.#nested();
    else this.#scalar();
    const valueEnd = this.#at;
    this.#space();
    return valueEnd;
  }

  /** Whether the key found last is the given word. */
  keyIs(word: Buffer): boolean {
    const length = this.keyEnd - this.keyStart;
    if (length !== word.length) return false;
    for (let i = 0; i < length; i++) if (this.buffer[this.keyStart + i] !== word[i]) return false;
    return true;
  }

  /** Passes over the value that comes next and tells whether it says something: not null, "", [] or {}. */
  skipFilled(): boolean {
    const first = this.peek();
    const start = this.#at;
    const end = this.skip();
    if (first === 0x6e) return false;
    const nests = first === QUOTE || first === OPEN_OBJECT || first === OPEN_ARRAY;
    return !nests || end - start > 2;
  }

  #nextOf(close: number): boolean {
    if (this.#failed) return false;
    if (this.peek() === COMMA) {
      this.#at++;
      this.#space();
    }
    if (this.#at >= this.#end) return this.#fail();
    if (this.peek() !== close) return true;
    this.#at++;
    this.#space();
    return false;
  }

  #fail(): false {
    this.#failed = true;
    this.#at = this.#end;
    return false;
  }

  #space(): void {
    while (this.#at < this.#end) {
      const byte = this.buffer[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
    }
  }

  #string(): void {
    const { buffer } = this;
    const end = this.#end;
    let i = this.#at + 1;
    while (i < end) {
      const byte = buffer[i];
      if (byte === QUOTE) {
        this.#at = i + 1;
        return;
      }
      i += byte === BACKSLASH ? 2 : 1;
    }
    this.#fail();
  }

  #scalar(): void {
    const start = this.#at;
    while (this.#at < this.#end) {
      const byte = this.buffer[this.#at];
      if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) break;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) break;
      this.#at++;
    }
    if (this.#at === start) this.#fail();
  }

  /** Counts brackets instead of recursing, so that depth costs no stack. */
  #nested(): void {
    let depth = 0;
    while (this.#at < this.#end) {
      const byte = this.buffer[this.#at];
      if (byte === QUOTE) {
        this.#string();
        continue;
      }
      this.#at++;
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return;
    }
    this.#fail();
  }
}
