/**
 * Where in a chunked body the bytes so far end (RFC 9112, section 7.1). Knows plain chunks only: a size in hexadecimal and
 * nothing behind it, bytes, CRLF. Whatever else comes, extensions, the last chunk or an error, loses it for good, and the HTTP
 * parser, which reads the same bytes, has the word.
 */

const CR = 0x0d;
const LF = 0x0a;
const CRLF_BYTES = 2;
/** 256 MiB less one: nothing that anybody streams, and far from what a number can hold. */
const MOST_DIGITS = 7;

/** `bytes`: in a chunk's bytes or in the CRLF behind them. */
type Place = 'boundary' | 'size' | 'sizeLf' | 'bytes' | 'lost';

export class ChunkCursor {
  #place: Place = 'boundary';
  #digits = 0;
  #size = 0;
  /** Of the chunk, its CRLF included. */
  #leftBytes = 0;

  /** Whether the bytes so far end between two chunks. */
  get atBoundary(): boolean {
    return this.#place === 'boundary';
  }

  get lost(): boolean {
    return this.#place === 'lost';
  }

  /** Goes over bytes that somebody else reads. */
  advance(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to && !this.lost; ) at = this.toBoundary(bytes, at, to);
  }

  /** Goes over bytes up to the next boundary. @returns where it is; `to` when it is not among them */
  toBoundary(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.#place !== 'lost') {
      if (this.#place !== 'bytes') {
        this.#sizeLine(bytes[at++] as number);
        continue;
      }
      const step = Math.min(this.#leftBytes, to - at);
      this.#leftBytes -= step;
      at += step;
      if (this.#leftBytes > 0) continue;
      this.#place = 'boundary';
      return at;
    }
    return to;
  }

  #sizeLine(byte: number): void {
    if (this.#place === 'boundary') {
      this.#place = 'size';
      this.#digits = 0;
      this.#size = 0;
    }
    if (this.#place === 'sizeLf') {
      this.#place = byte === LF && this.#size > 0 ? 'bytes' : 'lost';
      this.#leftBytes = this.#size + CRLF_BYTES;
      return;
    }
    const digit = hexValue(byte);
    if (digit >= 0 && this.#digits < MOST_DIGITS) {
      this.#digits++;
      this.#size = this.#size * 16 + digit;
    } else this.#place = byte === CR && this.#digits > 0 ? 'sizeLf' : 'lost';
  }
}

/**
 * Finds the plain chunks with which a part of a buffer begins, as many as lie in it whole.
 * @param start a boundary
 * @param length where the part ends
 * @param bounds where each chunk's own bytes begin and end, counted from `start`, are added to it
 * @returns where the last whole chunk ends; `start` when there is none
 */
export function wholeChunks(bytes: Uint8Array, start: number, length: number, bounds: number[]): number {
  let end = start;
  for (;;) {
    let at = end;
    let size = 0;
    let digit = at < length ? hexValue(bytes[at] as number) : -1;
    for (; digit >= 0 && at < end + MOST_DIGITS; digit = at < length ? hexValue(bytes[at] as number) : -1) {
      size = size * 16 + digit;
      at++;
    }
    const from = at + CRLF_BYTES;
    const to = from + size;
    if (size === 0 || to + CRLF_BYTES > length) return end;
    if (!isCrlf(bytes, at) || !isCrlf(bytes, to)) return end;
    bounds.push(from - start, to - start);
    end = to + CRLF_BYTES;
  }
}

function isCrlf(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF;
}

/** @returns -1 for what is no digit */
function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
