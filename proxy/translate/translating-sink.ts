/** Where an upstream's bytes go while they are translated: decoded if need be, event by event, into a body of ours. */
import type { Transform } from 'node:stream';
import type { AnswerBody, BodyFlow, BodySink } from '../stream/answer-body.ts';
import { frame } from '../stream/framing.ts';
import type { StreamTranslator } from './translator.ts';

export class TranslatingSink implements BodySink {
  readonly #stream: StreamTranslator;
  readonly #body: AnswerBody;
  readonly #upstream: Pick<AnswerBody, 'abort'>;
  #failed = false;

  constructor(stream: StreamTranslator, body: AnswerBody, upstream: Pick<AnswerBody, 'abort'>) {
    this.#stream = stream;
    this.#body = body;
    this.#upstream = upstream;
  }

  chunk(bytes: Buffer): void {
    if (this.#failed) return;
    try {
      const translated = this.#stream.push(bytes);
      if (translated.length > 0) this.#body.push(translated);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What came in one packet leaves as one chunk, framed here so that it is one write. */
  framed(framed: Buffer, bounds: readonly number[]): void {
    if (this.#failed) return;
    const parts: Buffer[] = [];
    let failure: { readonly error: unknown } | undefined;
    try {
      for (let at = 0; at < bounds.length; at += 2)
        parts.push(this.#stream.push(framed.subarray(bounds[at], bounds[at + 1])));
    } catch (error) {
      failure = { error };
    }
    // What came before an event that cannot be translated is the client's.
    this.#pushFramed(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
    if (failure) this.#fail(failure.error);
  }

  #pushFramed(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const whole = frame(bytes);
    const end = whole.length - CRLF_BYTES;
    this.#body.pushFramed(whole, [end - bytes.length, end]);
  }

  end(): void {
    if (this.#failed) return;
    try {
      const { bytes, whole: isWhole } = this.#stream.end();
      if (bytes.length > 0) this.#body.push(bytes);
      if (isWhole) this.#body.finish([]);
      else this.#body.fail(named('ended without its terminal event'));
    } catch (error) {
      this.#fail(error);
    }
  }

  cut(cause: Error): void {
    if (!this.#failed) this.#body.fail(cause);
  }

  #fail(error: unknown): void {
    this.#failed = true;
    const detail = error instanceof Error ? error.name : 'unknown';
    const cause = named(`held an event that cannot be translated (${detail})`);
    this.#upstream.abort(cause);
    this.#body.fail(cause);
  }
}

const CRLF_BYTES = 2;

/** Undoes a content-encoding that was sent although identity was asked. */
export class DecodingSink implements BodySink {
  readonly #decoder: Transform;
  readonly #sink: BodySink;
  readonly #upstream: BodyFlow;
  #trailers: readonly string[] = [];
  #waits = false;

  /** @param upstream waits while the decoder has enough to do */
  constructor(decoder: Transform, sink: BodySink, upstream: BodyFlow) {
    this.#decoder = decoder;
    this.#sink = sink;
    this.#upstream = upstream;
    decoder.on('data', (bytes: Buffer) => sink.chunk(bytes));
    decoder.once('end', () => sink.end(this.#trailers));
    decoder.once('error', () => sink.cut(named('content-encoding is broken')));
  }

  chunk(bytes: Buffer): void {
    if (this.#decoder.write(bytes) || this.#waits) return;
    this.#waits = true;
    this.#upstream.pause();
    this.#decoder.once('drain', () => {
      this.#waits = false;
      this.#upstream.resume();
    });
  }

  end(rawTrailers: readonly string[]): void {
    this.#trailers = rawTrailers;
    this.#decoder.end();
  }

  cut(cause: Error): void {
    this.#decoder.destroy();
    this.#sink.cut(cause);
  }
}

/** A body that is decoded on its way: a few bytes of it may become very many, so that both have to wait for the client. */
export function decodedFlow(decoder: Transform, upstream: BodyFlow): BodyFlow {
  return {
    pause: () => {
      decoder.pause();
      upstream.pause();
    },
    resume: () => {
      decoder.resume();
      if (!decoder.writableNeedDrain) upstream.resume();
    },
    abort: (reason) => {
      decoder.destroy();
      upstream.abort(reason);
    },
  };
}

/** `errorCode` shows a code to people, and never a message, which could quote what was sent. */
function named(code: string): Error {
  return Object.assign(new Error(`The answer ${code}`), { code });
}
