/**
 * The client's body: peeked at for routing, kept whole for replay, and for its transport, while it is short, streamed with
 * backpressure when it is long. Every chunk goes by the tap and the scanner once, as it arrives.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Interruption, ProxyError } from '../errors.ts';
import { MAX_BODY_BYTES, tooLarge } from '../listen/guard.ts';
import { type UploadProgress, watchProgress } from '../listen/upload-progress.ts';
import type { PeekedValue } from './agent-tag.ts';
import { LONG_BODIES } from './long-bodies.ts';
import type { OutgoingBody, SendableBody } from './outgoing-body.ts';
import { replaceSpan } from './replace-span.ts';
import { TopLevelScanner } from './scan-json.ts';

/** How far we look for what routing needs, and the longest body that can be sent twice. */
export const PEEK_BYTES = 1024 ** 2;
/** Longest silence of a client while we wait for its body before any upstream was chosen. */
const PEEK_IDLE_MS = 60_000;

export interface BodyOptions {
  readonly scan: boolean;
  /** Further top-level keys whose values are looked for. */
  readonly watch?: readonly string[];
  /** Span in which the client must make progress; 0: none. */
  readonly progressMs?: number;
  onChunk(chunk: Buffer): void;
}

export class RequestBody implements SendableBody {
  readonly scanner = new TopLevelScanner();
  readonly #request: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #progress: UploadProgress | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #totalBytes = 0;
  #complete = false;
  /** Held whole, however long: from the peek's limit on out of the process' budget. */
  #gathering = false;
  #takenBytes = 0;
  #failure: Error | undefined;
  #streaming: Readable | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage, options: BodyOptions) {
    this.#request = request;
    this.#options = options;
    this.scanner.watch(options.watch ?? []);
    this.#progress = watchProgress(request, options.progressMs ?? 0, () =>
      this.fail(new Interruption('client_stalled')),
    );
    request.on('data', (chunk: Buffer) => this.#take(chunk));
    request.on('end', () => this.#finish());
    request.on('error', () => this.fail(new Interruption('client_gone')));
    request.pause();
  }

  get whole(): boolean {
    return this.#complete && !this.#streaming;
  }

  /**
   * Whether the head says that it is no longer than what may be kept. It is better sent when all of it is there: no upstream can
   * answer before, and what a transport ties to a stream outlives its exchange until all memory is collected.
   */
  get short(): boolean {
    return Number(this.#request.headers['content-length']) <= PEEK_BYTES;
  }

  get replayable(): boolean {
    return this.whole || !this.#streaming;
  }

  get waitsForClient(): boolean {
    return !this.#complete && !this.#request.isPaused();
  }

  /** Reads until `enough` says so, the body ends, or more than `maxBytes` arrived. @throws what the body failed with */
  async peek(enough: () => boolean, signal: AbortSignal, maxBytes = PEEK_BYTES): Promise<void> {
    const stop = (): void => this.fail(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    const idle = setTimeout(() => this.fail(new Interruption('client_stalled')), PEEK_IDLE_MS);
    try {
      if (signal.aborted) stop();
      while (!this.#complete && !this.#failure && this.#keptBytes <= maxBytes && !enough()) {
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
    this.#takeArrived();
    if (this.#failure) throw this.#failure;
  }

  gather(maxBytes: number, signal: AbortSignal): Promise<void> {
    // What came before is counted by nobody; it is no more than a peek.
    this.#gathering = true;
    return this.peek(() => false, signal, maxBytes);
  }

  send(model?: string): OutgoingBody {
    this.#takeArrived();
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

  /** What was kept of a watched value. */
  peekedValue(key: string): PeekedValue | undefined {
    const span = this.scanner.spanOf(key);
    return span && { bytes: this.#joinKept().subarray(span.start, span.end), whole: span.end !== undefined };
  }

  fail(error: Error): void {
    LONG_BODIES.give(this.#takenBytes);
    this.#takenBytes = 0;
    if (this.#complete || this.#failure) return;
    this.#failure = error;
    this.#progress?.stop();
    this.#request.pause();
    this.#streaming?.destroy(error);
    this.#awake();
  }

  /** One that has arrived to its end is whole now, and not some turns of the event loop later: it needs no stream. */
  #takeArrived(): void {
    const request = this.#request;
    if (this.#complete || this.#failure || this.#streaming) return;
    if (request.readableLength > 0) request.read();
    if (request.readableLength > 0 || !this.#hasArrived()) return;
    this.#finish();
    // Nothing comes any more but the end, which the request's own cleaning up waits for.
    request.resume();
  }

  /** The parser may tell of the end only after the turn in which its last byte came. RFC 9112, section 6.3: no length, no body. */
  #hasArrived(): boolean {
    const { complete, headers } = this.#request;
    if (complete) return true;
    return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === this.#totalBytes;
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
    // The transport that reads it may have gone before the exchange is over.
    stream.on('error', () => {});
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
    this.#progress?.arrived(chunk.length);
    this.#options.onChunk(chunk);
    if (this.#options.scan && !this.scanner.finished) this.scanner.push(chunk);
    const { duplicate } = this.scanner;
    if (this.#totalBytes > MAX_BODY_BYTES) this.fail(tooLarge());
    else if (duplicate !== undefined) this.fail(duplicated(duplicate));
    else if (this.#streaming) {
      if (!this.#streaming.push(chunk)) {
        this.#request.pause();
        this.#progress?.heldBack();
      }
    } else this.#keep(chunk);
    this.#awake();
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
    if (!this.#gathering || this.#keptBytes <= PEEK_BYTES) return;
    try {
      LONG_BODIES.take(chunk.length);
      this.#takenBytes += chunk.length;
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #finish(): void {
    if (this.#failure || this.#complete) return;
    this.#complete = true;
    this.#progress?.stop();
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

function join(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return only && parts.length === 1 ? only : Buffer.concat(parts);
}
