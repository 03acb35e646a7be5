/** Finds the end of a JSON object that arrives in fragments, so that the block of a tool call can be closed before its stream ends. */

export class JsonEnd {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #done = false;

  /** The object's last bracket was seen; whatever follows belongs to nothing. */
  get done(): boolean {
    return this.#done;
  }

  /** A bracket or a string is open: taken as it is, this would be half a value. */
  get halfway(): boolean {
    return !this.#done && (this.#depth > 0 || this.#inString);
  }

  /** @returns how many of the fragment's characters belong to the value */
  take(fragment: string): number {
    if (this.#done) return 0;
    for (let at = 0; at < fragment.length; at++) {
      this.#step(fragment.charCodeAt(at));
      if (this.#done) return at + 1;
    }
    return fragment.length;
  }

  #step(code: number): void {
    if (this.#inString) {
      this.#stepInString(code);
      return;
    }
    if (code === QUOTE) this.#inString = true;
    else if (code === 0x7b || code === 0x5b) this.#depth++;
    else if (code === 0x7d || code === 0x5d) this.#done = --this.#depth <= 0;
  }

  #stepInString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#inString = false;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
