/** Who may try its target now: attempts run side by side, but for one that asks to be alone. First come, first served. */

interface Waiting {
  readonly alone: boolean;
  readonly go: () => void;
}

export class Turns {
  #queue: Waiting[] = [];
  #running = 0;
  #alone = false;

  /**
   * @param alone nobody else runs meanwhile
   * @returns ends the turn
   * @throws the signal's reason when it aborts first
   */
  async enter(alone: boolean, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { alone, go: resolve };
    const abort = (): void => {
      this.#queue = this.#queue.filter((each) => each !== waiting);
      reject(signal.reason);
      this.#next();
    };
    this.#queue.push(waiting);
    signal.addEventListener('abort', abort, { once: true });
    this.#next();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return () => this.#leave();
  }

  #next(): void {
    for (;;) {
      const [first] = this.#queue;
      if (first === undefined || this.#alone || (first.alone && this.#running > 0)) return;
      this.#queue.shift();
      this.#running += 1;
      this.#alone = first.alone;
      first.go();
    }
  }

  #leave(): void {
    this.#running -= 1;
    this.#alone = false;
    this.#next();
  }
}
