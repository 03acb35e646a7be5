/**
 * The client's body: peeked at for routing, kept whole for replay while it is short, streamed with backpressure when it is
 * long. Every chunk goes by the tap and the scanner once, as it arrives.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Interruption, ProxyError } from '../errors.ts';
import { MAX_BODY_BYTES, tooLarge } from '../listen/guard.ts';
import { type Span, TopLevelScanner } from './scan-json.ts';

/** How far we look for what routing needs, and the longest body that can be sent twice. */
export const PEEK_BYTES = 1024 ** 2;
/** Longest silence of a client while we wait for its body before any upstream was chosen. */
const PEEK_IDLE_MS = 60_000;

export interface BodyOptions {
  readonly scan: boolean;
  onChunk(chunk: Buffer): void;
}

/** What is sent: a whole body that can be sent again, a stream that cannot, or none. */
export type OutgoingBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'stream'; readonly stream: Readable; readonly contentLength: number | undefined };

export class RequestBody {
  readonly scanner = new TopLevelScanner();
  readonly #request: IncomingMessage;
  readonly #options: BodyOptions;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #totalBytes = 0;
  #complete = false;
  #failure: Error | undefined;
  #streaming: Readable | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage, options: BodyOptions) {
    this.#request = request;
    this.#options = options;
    request.on('data', (chunk: Buffer) => this.#take(chunk));
    request.on('end', () => this.#finish());
    request.on('error', () => this.fail(new Interruption('client_gone')));
    request.pause();
  }

  /** Everything arrived, and is kept. */
  get whole(): boolean {
    return this.#complete && !this.#streaming;
  }

  /** Whether it may be sent (again): nothing of it has been given away for good. */
  get replayable(): boolean {
    return this.whole || !this.#streaming;
  }

  /** Whether the next byte is the client's to send. */
  get waitsForClient(): boolean {
    return !this.#complete && !this.#request.isPaused();
  }

  /** Reads until `enough` says so, the body ends, or more than PEEK_BYTES arrived. @throws what the body failed with */
  async peek(enough: () => boolean, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.fail(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    const idle = setTimeout(() => this.fail(new Interruption('client_stalled')), PEEK_IDLE_MS);
    try {
      if (signal.aborted) stop();
      while (!this.#complete && !this.#failure && this.#keptBytes <= PEEK_BYTES && !enough()) {
        const arrived = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#request.resume();
        await arrived;
        idle.refresh();
      }
    } finally {
      this.#request.pause();
      clearTimeout(idle);
      signal.removeEventListener('abort', stop);
    }
    if (this.#failure) throw this.#failure;
  }

  /**
   * The bytes to send to an upstream. A body that is whole can be asked for again and again, a longer one once.
   * @param model put in place of the client's model, in the same bytes
   */
  send(model?: string): OutgoingBody {
    const span = model === undefined ? undefined : this.scanner.modelSpan;
    if (this.whole) {
      if (this.#keptBytes === 0) return { kind: 'none' };
      return { kind: 'whole', bytes: join(replaceSpan(this.#joinKept(), span, model)) };
    }
    const given = this.#request.headers['content-length'];
    const head = replaceSpan(this.#joinKept(), span, model);
    const grown = head.reduce((sum, part) => sum + part.length, 0) - this.#keptBytes;
    return {
      kind: 'stream',
      stream: this.#open(head),
      contentLength: given === undefined ? undefined : Number(given) + grown,
    };
  }

  /** Ends the body for whoever reads it. */
  fail(error: Error): void {
    if (this.#complete || this.#failure) return;
    this.#failure = error;
    this.#request.pause();
    this.#streaming?.destroy(error);
    this.#awake();
  }

  #joinKept(): Buffer {
    const joined = join(this.#kept);
    this.#kept = [joined];
    return joined;
  }

  #open(head: Buffer[]): Readable {
    const stream = new Readable({
      read: () => {
        if (!this.#streaming) this.#begin(stream, head);
        if (!this.#complete) this.#request.resume();
      },
    });
    return stream;
  }

  /** On the first read only: until then the kept bytes are still ours, for another try. */
  #begin(stream: Readable, head: Buffer[]): void {
    this.#streaming = stream;
    for (const part of head) stream.push(part);
    this.#kept = [];
    if (this.#complete) stream.push(null);
    if (this.#failure) stream.destroy(this.#failure);
  }

  #take(chunk: Buffer): void {
    if (this.#failure) return;
    this.#totalBytes += chunk.length;
    this.#options.onChunk(chunk);
    if (this.#options.scan && !this.scanner.finished) this.scanner.push(chunk);
    const { duplicate } = this.scanner;
    if (this.#totalBytes > MAX_BODY_BYTES) this.fail(tooLarge());
    else if (duplicate !== undefined) this.fail(duplicated(duplicate));
    else if (this.#streaming) {
      if (!this.#streaming.push(chunk)) this.#request.pause();
    } else {
      this.#kept.push(chunk);
      this.#keptBytes += chunk.length;
    }
    this.#awake();
  }

  #finish(): void {
    if (this.#failure) return;
    this.#complete = true;
    this.#streaming?.push(null);
    this.#awake();
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function duplicated(key: string): ProxyError {
  return new ProxyError('bad_request', `Send "${key}" once at the top level of the body; it came twice`);
}

/** Only these bytes change: everything around them, spaces included, stays as the client wrote it. */
function replaceSpan(bytes: Buffer, span: Span | undefined, model: string | undefined): Buffer[] {
  if (!span || model === undefined) return [bytes];
  return [bytes.subarray(0, span.start), Buffer.from(JSON.stringify(model)), bytes.subarray(span.end)];
}

function join(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return only && parts.length === 1 ? only : Buffer.concat(parts);
}
