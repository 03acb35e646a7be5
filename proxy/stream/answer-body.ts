/**
 * An answer's body between the upstream and whoever takes it. Until it is taken it keeps what arrives (so that an answer can
 * be judged, or kept for the case that no better one comes), up to a bound, beyond which the upstream has to wait.
 */

/** Takes a body; `end` or `cut` comes once and last. */
export interface BodySink {
  chunk(bytes: Buffer): void;
  /**
   * Takes chunks as the upstream framed them; absent: each comes by itself, unframed.
   * @param framed one or more whole chunks with their framing (RFC 9112, section 7.1)
   * @param bounds where the bytes of each begin and end in it, one after the other; valid until this returns
   */
  framed?(framed: Buffer, bounds: readonly number[]): void;
  end(rawTrailers: readonly string[]): void;
  /** The upstream's connection broke before the body was whole. */
  cut(cause: Error): void;
}

/** The connection that feeds a body. */
export interface BodyFlow {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

type Ending = { readonly trailers: readonly string[] } | { readonly cause: Error };

const MAX_HELD_BYTES = 1024 ** 2;

export class AnswerBody {
  readonly #flow: BodyFlow;
  /** Bytes that tell the client, in its own form, that the answer broke off; only where the body was made here. */
  readonly farewell: ((reason: string) => Buffer) | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ending: Ending | undefined;
  #sink: BodySink | undefined;
  #watcher: (() => void) | undefined;

  constructor(flow: BodyFlow, farewell?: (reason: string) => Buffer) {
    this.#flow = flow;
    this.farewell = farewell;
  }

  get held(): readonly Buffer[] {
    return this.#held;
  }

  /** No more can be held: whoever waits for more has to decide now. */
  get full(): boolean {
    return this.#heldBytes >= MAX_HELD_BYTES;
  }

  get state(): 'open' | 'ended' | 'cut' {
    if (!this.#ending) return 'open';
    return 'cause' in this.#ending ? 'cut' : 'ended';
  }

  /** What broke the connection, when the state is `cut`. */
  get cause(): Error | undefined {
    return this.#ending && 'cause' in this.#ending ? this.#ending.cause : undefined;
  }

  /** Calls back on everything that happens while nobody has taken the body. */
  watch(watcher: (() => void) | undefined): void {
    this.#watcher = watcher;
  }

  /** Takes the body: what was held comes first, at once. */
  consume(sink: BodySink): void {
    const held = this.#held;
    const wasFull = this.full;
    this.#held = [];
    this.#heldBytes = 0;
    this.#watcher = undefined;
    this.#sink = sink;
    for (const chunk of held) sink.chunk(chunk);
    if (this.#ending) end(sink, this.#ending);
    else if (wasFull) this.#flow.resume();
  }

  pause(): void {
    this.#flow.pause();
  }

  resume(): void {
    this.#flow.resume();
  }

  /** Closes the upstream's connection, unless the body ended before; nothing is told to the sink. */
  abort(reason: Error): void {
    this.#sink = undefined;
    this.#watcher = undefined;
    this.#held = [];
    if (this.#ending) return;
    this.#ending = { cause: reason };
    this.#flow.abort(reason);
  }

  push(chunk: Buffer): void {
    if (this.#sink) {
      this.#sink.chunk(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.full) this.#flow.pause();
    this.#watcher?.();
  }

  /** The same for chunks as the upstream framed them. */
  pushFramed(framed: Buffer, bounds: readonly number[]): void {
    if (this.#sink?.framed) this.#sink.framed(framed, bounds);
    else for (let i = 0; i < bounds.length; i += 2) this.push(framed.subarray(bounds[i], bounds[i + 1]));
  }

  finish(rawTrailers: readonly string[]): void {
    this.#settle({ trailers: rawTrailers });
  }

  fail(cause: Error): void {
    this.#settle({ cause });
  }

  #settle(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    if (this.#sink) end(this.#sink, ending);
    else this.#watcher?.();
  }
}

function end(sink: BodySink, ending: Ending): void {
  if ('cause' in ending) sink.cut(ending.cause);
  else sink.end(ending.trailers);
}
