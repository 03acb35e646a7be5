/** The lines of a part of a file, one at a time, so that a file of any size takes the memory of its longest line. */
import type { FileHandle } from 'node:fs/promises';

export interface Line {
  /** Without its newline. */
  readonly bytes: Buffer;
  readonly start: number;
  /** Where the next line begins. */
  readonly end: number;
  /** It has no newline: the rest may be under way, or it is the file's last. */
  readonly open: boolean;
}

const READ_BYTES = 256 * 1024;
/** Longer ones are passed over: two bodies of the largest size that is kept, and their escapes. */
const MOST_LINE_BYTES = 64 * 1024 * 1024;
const LF = 0x0a;

export async function* readLines(file: FileHandle, from: number, to: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let start = from;
  let lengthBytes = 0;
  for (let at = from; at < to; ) {
    const length = Math.min(READ_BYTES, to - at);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    if (bytesRead === 0) return;
    let rest = buffer.subarray(0, bytesRead);
    for (let newline = rest.indexOf(LF); newline !== -1; newline = rest.indexOf(LF)) {
      const end = start + lengthBytes + newline + 1;
      if (lengthBytes + newline <= MOST_LINE_BYTES) {
        yield { bytes: Buffer.concat([...parts, rest.subarray(0, newline)]), start, end, open: false };
      }
      rest = rest.subarray(newline + 1);
      parts = [];
      lengthBytes = 0;
      start = end;
    }
    lengthBytes += rest.length;
    parts = lengthBytes > MOST_LINE_BYTES ? [] : [...parts, rest];
    at += bytesRead;
  }
  if (parts.length > 0) yield { bytes: Buffer.concat(parts), start, end: start + lengthBytes, open: true };
}
