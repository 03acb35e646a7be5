/** The HTTP client of the network targets: one request at a time over one kept connection, with a limit on the whole of it. */
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { codeAndWayOut, errorCode, NO_WAY } from '../../unreachable.ts';

export interface HttpRequest {
  readonly method: 'POST' | 'PUT';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface HttpReply {
  readonly status: number;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** The beginning of the body, at most 64 KiB. */
  readonly body: Buffer;
}

export interface HttpClientOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly timeoutMs: number;
  /** PEM bundle to trust instead of the public authorities. */
  readonly ca?: string;
}

const MAX_REPLY_BYTES = 64 * 1024;
const KEEP_ALIVE_MS = 30_000;
const NO_TLS = 'look whether it speaks TLS on that port';

export class HttpClient {
  readonly origin: string;
  readonly #timeoutMs: number;
  readonly #ownAuthorities: boolean;
  readonly #pool: Dispatcher;
  /** Whether the newest connection came as far as its TLS handshake. */
  #reachedTls = false;

  constructor({ origin, timeoutMs, ca }: HttpClientOptions) {
    this.origin = origin;
    this.#timeoutMs = timeoutMs;
    this.#ownAuthorities = ca !== undefined;
    this.#pool = new Pool(origin, {
      connections: 1,
      allowH2: false,
      pipelining: 1,
      // The one limit is ours: undici's stand still while the other side takes its time with single bytes.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: this.#connector({ ...(ca !== undefined && { ca }), timeout: timeoutMs, allowH2: false }),
    });
  }

  /**
   * Redirects are not followed: they would carry records and credentials elsewhere.
   * @throws Error that names the origin and a code; whatever the signal's reason is
   */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    signal.throwIfAborted();
    const limit = AbortSignal.timeout(this.#timeoutMs);
    const exchange = new Exchange(AbortSignal.any([signal, limit]));
    try {
      return await exchange.run(this.#pool, this.origin, request);
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) throw this.#late(exchange.began);
      // Codes only: a message may quote what was sent.
      const code = errorCode(error, 'the connection broke');
      throw new Error(`Cannot reach "${this.origin}": ${codeAndWayOut(code, this.#ownAuthorities)}`);
    }
  }

  /** @param began whether there was a connection for the request */
  #late(began: boolean): Error {
    const late = `within the target's timeout of ${this.#timeoutMs} ms`;
    if (began) {
      return new Error(
        `Got no answer from "${this.origin}" ${late}; look at the receiver, or raise the target's timeout`,
      );
    }
    const how = this.#reachedTls
      ? `the TLS handshake did not end ${late}; ${NO_TLS}`
      : `no connection ${late}; ${NO_WAY}`;
    return new Error(`Cannot reach "${this.origin}": ${how}`);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #connector(options: buildConnector.BuildOptions): buildConnector.connector {
    // It gives the socket back, which its types do not say.
    const connect = buildConnector(options) as (...args: Parameters<buildConnector.connector>) => Socket;
    return (to, callback) => {
      this.#reachedTls = false;
      const socket = connect(to, callback);
      socket.once('connect', () => {
        this.#reachedTls = to.protocol === 'https:';
      });
      return socket;
    };
  }
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #settled = Promise.withResolvers<HttpReply>();
  readonly #onAbort = (): void => {
    this.#controller?.abort(this.#signal.reason as Error);
    this.#settled.reject(this.#signal.reason as Error);
  };
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Readonly<Record<string, string | string[] | undefined>> = {};
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether there was a connection for it. */
  get began(): boolean {
    return this.#controller !== undefined;
  }

  async run(pool: Dispatcher, origin: string, request: HttpRequest): Promise<HttpReply> {
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    try {
      pool.dispatch({ origin, ...request, headers: { ...request.headers } }, this);
      return await this.#settled.promise;
    } finally {
      this.#signal.removeEventListener('abort', this.#onAbort);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // A connect cannot be aborted; this is the first chance, before a byte leaves.
    if (this.#signal.aborted) controller.abort(this.#signal.reason as Error);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Dispatcher.ResponseData['headers'],
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytes >= MAX_REPLY_BYTES) return;
    this.#chunks.push(chunk.subarray(0, MAX_REPLY_BYTES - this.#bytes));
    this.#bytes += chunk.length;
  }

  onResponseEnd(): void {
    const headers = this.#headers;
    this.#settled.resolve({
      status: this.#status,
      header: (name) => {
        const value = headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: Buffer.concat(this.#chunks),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settled.reject(error);
  }
}
