/** Bytes of an event stream → whole events as they came, byte for byte, whatever the chunks. Line ends: LF, CRLF, CR. */

const LF = 0x0a;
const CR = 0x0d;

export class RawEvents {
  #parts: Buffer[] = [];
  #bytes = 0;
  #lineEmpty = true;
  /** An LF that comes next belongs to the CR before it. */
  #afterCr = false;

  /** Bytes of the event that is not whole yet. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /** @returns the events that these bytes complete, each with its blank line */
  push(chunk: Buffer): Buffer[] {
    const events: Buffer[] = [];
    let start = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index];
      const continues = this.#afterCr && byte === LF;
      this.#afterCr = false;
      if (continues) continue;
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        continue;
      }
      if (byte === CR && chunk[index + 1] === LF) index += 1;
      else this.#afterCr = byte === CR;
      if (this.#lineEmpty) {
        events.push(this.#take(chunk.subarray(start, index + 1)));
        start = index + 1;
      }
      this.#lineEmpty = true;
    }
    this.#keep(chunk.subarray(start));
    return events;
  }

  /** What is not whole. */
  rest(): Buffer {
    return this.#take(Buffer.alloc(0));
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }

  #take(last: Buffer): Buffer {
    const whole = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#bytes = 0;
    return whole;
  }
}
