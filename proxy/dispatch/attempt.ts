/** One try at one upstream → its answer, or the error that says how far it came. Never waits longer than the upstream's limits. */
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { ValidUpstream } from '#contract/compiled.ts';
import type { Dialect } from '#contract/dialect.ts';
import { Interruption, ProxyError, type ProxyErrorKind } from '../errors.ts';
import { headerValue } from '../listen/raw-headers.ts';
import { AnswerBody } from '../stream/answer-body.ts';
import { codeAndWayOut, errorCode } from '../unreachable.ts';
import type { ChunkReads, ChunkSink, Following } from '../upstream/chunk-reads.ts';
import type { UpstreamPool } from '../upstream/pool.ts';

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  /** Names and values alternating. */
  readonly headers: string[];
  readonly body: Buffer | Readable | null;
  /** Whether a body that stalls waits for the client rather than for the upstream. */
  waitsForClient(): boolean;
}

export interface UpstreamAnswer {
  readonly upstream: ValidUpstream;
  /** What the body speaks: the upstream's dialect, or the client's once it was translated. */
  readonly dialect: Dialect;
  readonly status: number;
  readonly statusMessage: string;
  /** Names and values alternating, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: AnswerBody;
  /** Clock time (`performance.now()`) at which the total limit ends; undefined when there is none. */
  readonly endsAtMs: number | undefined;
}

export interface AttemptOptions {
  /** Aborts with an Interruption or a ProxyError. */
  readonly signal: AbortSignal;
  /** Called for interim answers (1xx). */
  inform(status: number, rawHeaders: readonly string[]): void;
}

type Phase = 'connect' | 'upload' | 'firstByte' | 'answered';

/**
 * Sends the request.
 * @throws ProxyError connect_failed, upstream_broke, upstream_timeout; whatever the signal's reason or the body's error is
 */
export function attempt(
  pool: UpstreamPool,
  upstream: ValidUpstream,
  request: UpstreamRequest,
  options: AttemptOptions,
): Promise<UpstreamAnswer> {
  return new Attempt(upstream, request, options, pool.chunkReads).run(pool);
}

class Attempt implements Dispatcher.DispatchHandler, ChunkSink {
  readonly #upstream: ValidUpstream;
  readonly #request: UpstreamRequest;
  readonly #options: AttemptOptions;
  readonly #chunkReads: ChunkReads | undefined;
  readonly #settled = Promise.withResolvers<UpstreamAnswer>();
  readonly #endsAtMs: number | undefined;
  readonly #onAbort = (): void => this.#giveUp(this.#options.signal.reason as Error);
  #phase: Phase = 'connect';
  #controller: Dispatcher.DispatchController | undefined;
  /** Set once the attempt is over for us, whatever undici still does with it. */
  #over: Error | undefined;
  #body: AnswerBody | undefined;
  #following: Following | undefined;
  /** Of a body whose length was announced. */
  #missingBytes = Number.NaN;
  #phaseTimer: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;

  constructor(
    upstream: ValidUpstream,
    request: UpstreamRequest,
    options: AttemptOptions,
    chunkReads: ChunkReads | undefined,
  ) {
    this.#upstream = upstream;
    this.#chunkReads = chunkReads;
    this.#request = request;
    this.#options = options;
    const { totalMs } = upstream.timeouts;
    this.#endsAtMs = totalMs > 0 ? performance.now() + totalMs : undefined;
  }

  run(pool: UpstreamPool): Promise<UpstreamAnswer> {
    const { method, path, headers, body } = this.#request;
    const { signal } = this.#options;
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    const { totalMs } = this.#upstream.timeouts;
    if (totalMs > 0) this.#totalTimer = setTimeout(() => this.#giveUp(this.#timeout('total', totalMs)), totalMs);
    this.#enter('connect');
    try {
      pool.dispatch(
        { origin: this.#upstream.origin, method: method as Dispatcher.HttpMethod, path, headers, body },
        this,
      );
    } catch (error) {
      // undici refuses what HTTP cannot carry; the guard lets nothing of the client's come this far.
      this.#giveUp(this.#failure('internal', 'cannot be asked with this request', error));
    }
    return this.#settled.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // undici cannot abort a connect; here, before the first byte leaves, is the first chance.
    if (this.#over) controller.abort(this.#over);
    else this.#enter('upload');
  }

  onBodySent(): void {
    if (this.#phase === 'upload') this.#phaseTimer?.refresh();
  }

  onRequestSent(): void {
    if (this.#phase === 'upload' && !this.#over) this.#enter('firstByte');
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    message?: string,
  ): void {
    if (this.#over) return;
    const rawHeaders = readRaw(controller.rawHeaders);
    if (status < 200) {
      if (status > 101) this.#options.inform(status, rawHeaders);
      return;
    }
    this.#following = this.#chunkReads?.follow(rawHeaders, this);
    this.#missingBytes = Number(headerValue(rawHeaders, 'content-length') ?? Number.NaN);
    this.#body = new AnswerBody({
      pause: () => {
        this.#following?.pause();
        controller.pause();
      },
      resume: () => {
        this.#following?.resume();
        controller.resume();
      },
      abort: (reason) => controller.abort(reason),
    });
    this.#phase = 'answered';
    this.#release();
    this.#settled.resolve({
      upstream: this.#upstream,
      dialect: this.#upstream.dialect,
      status,
      statusMessage: message ?? '',
      rawHeaders,
      body: this.#body,
      endsAtMs: this.#endsAtMs,
    });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#missingBytes -= chunk.length;
    this.#body?.push(chunk);
  }

  framed(framed: Buffer, bounds: readonly number[]): void {
    this.#body?.pushFramed(framed, bounds);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#following?.leave();
    this.#body?.finish(readRaw(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#following?.leave();
    // undici calls it an error when the upstream closes behind the last byte of a body that waits for its client.
    if (this.#missingBytes === 0) this.#body?.finish([]);
    else if (this.#body) this.#body.fail(error);
    else this.#giveUp(this.#classify(error));
  }

  #enter(phase: Exclude<Phase, 'answered'>): void {
    this.#phase = phase;
    clearTimeout(this.#phaseTimer);
    const { connectMs, idleMs, firstByteMs } = this.#upstream.timeouts;
    const limitMs = { connect: connectMs, upload: idleMs, firstByte: firstByteMs }[phase];
    if (limitMs > 0) this.#phaseTimer = setTimeout(() => this.#expire(phase, limitMs), limitMs);
  }

  #expire(phase: Exclude<Phase, 'answered'>, limitMs: number): void {
    if (phase === 'upload' && this.#request.waitsForClient()) this.#giveUp(new Interruption('client_stalled'));
    else this.#giveUp(this.#timeout(phase === 'upload' ? 'idle' : phase, limitMs));
  }

  /** Settles now; undici is told as soon as it listens. */
  #giveUp(reason: Error): void {
    if (this.#over || this.#body) return;
    this.#over = reason;
    this.#release();
    this.#controller?.abort(reason);
    this.#settled.reject(reason);
  }

  #release(): void {
    clearTimeout(this.#phaseTimer);
    clearTimeout(this.#totalTimer);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
  }

  #classify(error: Error): Error {
    // Raised by the body that we were given, not by the upstream.
    if (error instanceof ProxyError || error instanceof Interruption) return error;
    const code = errorCode(error);
    if (code === 'UND_ERR_CONNECT_TIMEOUT') return this.#timeout('connect', this.#upstream.timeouts.connectMs);
    const through = this.#upstream.proxyUrl === undefined ? '' : ' through its egress proxy';
    return this.#phase === 'connect'
      ? this.#failure(
          'connect_failed',
          `cannot be reached${through}: ${codeAndWayOut(code, this.#upstream.caFile !== undefined)}`,
          error,
        )
      : this.#failure('upstream_broke', `closed the connection before it answered: ${code}`, error);
  }

  #timeout(which: 'connect' | 'idle' | 'firstByte' | 'total', limitMs: number): ProxyError {
    return this.#failure('upstream_timeout', `passed its limit timeouts.${which} of ${limitMs} ms`);
  }

  #failure(kind: ProxyErrorKind, what: string, cause?: unknown): ProxyError {
    const facts = { upstream: this.#upstream.name, ...(cause !== undefined && { cause }) };
    return new ProxyError(kind, `Upstream "${this.#upstream.name}" ${what}`, facts);
  }
}

/** HTTP/1 gives buffers in the order of the wire. */
function readRaw(raw: unknown): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part: unknown) => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}
