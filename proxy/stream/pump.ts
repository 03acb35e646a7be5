/** Upstream → client: each chunk as it arrives, with backpressure and no buffer of ours. Ends exactly once, with a StreamEnd. */
import type { Transform } from 'node:stream';
import type { UpstreamAnswer } from '../dispatch/attempt.ts';
import { Interruption } from '../errors.ts';
import type { Tap } from '../exchange.ts';
import { errorCode } from '../unreachable.ts';
import type { BodySink } from './answer-body.ts';
import type { StreamEnd } from './end.ts';
import type { ClientAnswer } from './framing.ts';
import type { KeepAlive } from './keep-alive.ts';

export interface PumpOptions {
  readonly answer: UpstreamAnswer;
  /** End-to-end headers for the client, names and values alternating. */
  readonly rawHeaders: readonly string[];
  readonly client: ClientAnswer;
  readonly tap: Tap;
  /** Aborts with an Interruption. */
  readonly signal: AbortSignal;
  /** How long the first byte was held back. */
  readonly heldMs: number;
  /** Decodes the body for a client that cannot. */
  readonly decoder: Transform | undefined;
  /** The decoder, where it holds words back: what it holds leaves before a client is cut off. */
  readonly pace?: { flushNow(): void } | undefined;
  /** Pings the client while the upstream is silent. */
  readonly keepAlive?: KeepAlive | undefined;
}

/** Passes an answer on. Resolves when its last byte has left or its connections are closed; never rejects. */
export function pump(options: PumpOptions): Promise<StreamEnd> {
  return new Pump(options).run();
}

class Pump implements BodySink {
  readonly #options: PumpOptions;
  readonly #ended = Promise.withResolvers<StreamEnd>();
  readonly #onAbort = (): void => this.#interrupted(this.#options.signal.reason);
  #over = false;
  #delivered = false;
  /** The client takes no more; the upstream was told to wait. */
  #stalled = false;
  #upstreamEnded = false;
  #movedAtMs = performance.now();
  #idleTimer: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  run(): Promise<StreamEnd> {
    const { answer, client, decoder, rawHeaders, signal, tap } = this.#options;
    tap.answered({
      upstream: answer.upstream.name,
      upstreamDialect: answer.dialect,
      status: answer.status,
      rawHeaders: answer.rawHeaders,
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (decoder) this.#wire(decoder);
    this.#armTimers();
    try {
      client.begin(answer.status, answer.statusMessage, rawHeaders, () => answer.body.consume(this));
    } catch (error) {
      this.#settle({ kind: 'upstream_cut', detail: `unusable head: ${errorCode(error)}` }, 'drop');
    }
    if (signal.aborted) this.#onAbort();
    if (!this.#over) this.#options.keepAlive?.start(() => this.#movedAtMs);
    return this.#ended.promise;
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    const { decoder, tap } = this.#options;
    tap.answerChunk(bytes);
    this.#movedAtMs = performance.now();
    if (!decoder) this.#sent(this.#options.client.write(bytes));
    else if (!decoder.write(bytes)) this.#pauseUntil((resume) => decoder.once('drain', resume));
  }

  framed(framed: Buffer, bounds: readonly number[]): void {
    const { client, decoder, tap } = this.#options;
    if (decoder || !client.takesFramed) {
      for (let i = 0; i < bounds.length; i += 2) this.chunk(framed.subarray(bounds[i], bounds[i + 1]));
      return;
    }
    if (this.#over) return;
    for (let i = 0; i < bounds.length; i += 2) tap.answerChunk(framed, bounds[i], bounds[i + 1]);
    this.#movedAtMs = performance.now();
    this.#sent(client.writeFramed(framed));
  }

  end(rawTrailers: readonly string[]): void {
    this.#upstreamEnded = true;
    const { decoder } = this.#options;
    if (!decoder) this.#finish(rawTrailers);
    else {
      decoder.once('end', () => this.#finish(rawTrailers));
      decoder.end();
    }
  }

  cut(cause: Error): void {
    this.#options.pace?.flushNow();
    const { error } = this.#options.tap.verdict();
    const detail = errorCode(cause);
    if (error !== undefined) this.#settle({ kind: 'upstream_error', detail: error }, 'send');
    else this.#settle({ kind: 'upstream_cut', detail }, 'send');
  }

  /** @param more whether the client takes more at once */
  #sent(more: boolean): void {
    const { client, heldMs, tap } = this.#options;
    if (!this.#delivered) {
      this.#delivered = true;
      tap.delivered(heldMs);
    }
    if (more || this.#stalled) return;
    this.#stalled = true;
    this.#options.decoder?.pause();
    this.#pauseUntil((resume) =>
      client.onDrain(() => {
        this.#stalled = false;
        resume();
      }),
    );
  }

  #pauseUntil(wait: (resume: () => void) => void): void {
    const { body } = this.#options.answer;
    if (!this.#upstreamEnded) body.pause();
    wait(() => {
      this.#movedAtMs = performance.now();
      this.#options.decoder?.resume();
      if (!this.#upstreamEnded && !this.#over) body.resume();
    });
  }

  /** The final chunk says that all is there, so it waits for the word of who read along. */
  #finish(rawTrailers: readonly string[]): void {
    if (this.#over) return;
    const { client, tap } = this.#options;
    const { error, terminal } = tap.verdict();
    if (error === undefined && terminal === 'missing') {
      this.#settle({ kind: 'upstream_cut', detail: 'ended without its terminal event' }, 'send');
      return;
    }
    const end: StreamEnd = error === undefined ? { kind: 'complete' } : { kind: 'upstream_error', detail: error };
    void client.end(rawTrailers).then(() => this.#settle(end, 'keep'));
  }

  #interrupted(reason: unknown): void {
    if (reason instanceof Interruption && reason.kind === 'shutdown') this.#settle({ kind: 'shutdown' }, 'send');
    else this.#settle(this.#readToItsEnd() ?? { kind: 'client_gone' }, 'drop');
  }

  /** SDKs leave as soon as they have read the last event, or an error: the final chunk comes too late for them. */
  #readToItsEnd(): StreamEnd | undefined {
    const { client, tap } = this.#options;
    if (this.#stalled || client.pendingBytes > 0) return undefined;
    const { error, terminal } = tap.verdict();
    if (error !== undefined) return { kind: 'upstream_error', detail: error };
    return terminal === 'seen' ? { kind: 'complete' } : undefined;
  }

  /** @param client what becomes of its connection: `keep` after an orderly end */
  #settle(end: StreamEnd, client: 'keep' | 'send' | 'drop'): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#totalTimer);
    this.#options.keepAlive?.stop();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#options.answer.body.abort(new Error(`Exchange ended: ${end.kind}`));
    this.#options.decoder?.destroy();
    if (client === 'send') this.#sayFarewell(end);
    if (client !== 'keep') this.#options.client.abort(client);
    this.#ended.resolve(end);
  }

  /** What a body of ours has to say last: a client that got a translated stream is told by an event that it broke off. */
  #sayFarewell({ kind, detail }: StreamEnd): void {
    const { answer, client } = this.#options;
    if (answer.body.farewell === undefined || !client.begun) return;
    client.write(answer.body.farewell(`The answer broke off: ${detail === undefined ? kind : `${kind}, ${detail}`}`));
  }

  #armTimers(): void {
    const { endsAtMs, upstream } = this.#options.answer;
    const { idleMs } = upstream.timeouts;
    if (idleMs > 0) this.#idleTimer = setTimeout(() => this.#checkIdle(idleMs), idleMs);
    if (endsAtMs === undefined) return;
    const leftMs = Math.max(0, endsAtMs - performance.now());
    this.#totalTimer = setTimeout(() => this.#settle({ kind: 'timed_out', detail: 'timeouts.total' }, 'send'), leftMs);
  }

  /** Looks at the clock when the time is up rather than arming a timer for each chunk. */
  #checkIdle(idleMs: number): void {
    const leftMs = this.#movedAtMs + idleMs - performance.now();
    if (leftMs > 0) {
      this.#idleTimer = setTimeout(() => this.#checkIdle(idleMs), Math.ceil(leftMs));
      return;
    }
    const side = this.#stalled || this.#upstreamEnded ? 'client' : 'upstream';
    this.#settle({ kind: 'idle', side, detail: 'timeouts.idle' }, side === 'client' ? 'drop' : 'send');
  }

  #wire(decoder: Transform): void {
    decoder.on('data', (bytes: Buffer) => {
      if (!this.#over) this.#sent(this.#options.client.write(bytes));
    });
    decoder.on('error', () => this.#settle({ kind: 'upstream_cut', detail: 'content-encoding is broken' }, 'send'));
  }
}
