/**
 * HTTP/2 requests in the form of HTTP/1 ones: undici gives headers and trailers as objects where everybody here reads flat
 * lists, and an abort has to reach the upstream while the request is still being sent, too.
 */
import { subscribe } from 'node:diagnostics_channel';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { Readable } from 'node:stream';
import type { DispatchHandler, ResponseController } from './pool.ts';

/** Set from a request's start to the opening of its stream, which undici does in one go. */
let opening: Http2Request | undefined;
let isWatching = false;

/** Node tells of each stream that is opened; undici hands out none. */
function watchStreams(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe('http2.client.stream.created', (message) => {
    opening?.opened((message as { stream: ClientHttp2Stream }).stream);
    opening = undefined;
  });
}

/**
 * @param handler of a request that may be answered over either version
 * @param body what is sent
 */
export function http2Handler(handler: DispatchHandler, body: unknown): DispatchHandler {
  watchStreams();
  const request = new Http2Request(body);
  return {
    onRequestStart: (controller, context) => {
      opening = request;
      // Over HTTP/1 no stream is opened: the next one to come is somebody else's.
      queueMicrotask(() => {
        if (opening === request) opening = undefined;
      });
      handler.onRequestStart?.(request.view(controller), context);
    },
    onBodySent: (chunk: Buffer) => handler.onBodySent?.(chunk),
    onRequestSent: () => handler.onRequestSent?.(),
    onResponseStart: (controller, status, headers, message) =>
      handler.onResponseStart?.(request.view(controller), status, headers, message),
    onResponseData: (controller, chunk) => handler.onResponseData?.(request.view(controller), chunk),
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(request.view(controller), trailers),
    onResponseError: (controller, error) => handler.onResponseError?.(request.view(controller), error),
  } as DispatchHandler;
}

class Http2Request {
  readonly #body: unknown;
  #stream: ClientHttp2Stream | undefined;
  #controller: ResponseController | undefined;
  #view: ResponseController | undefined;

  constructor(body: unknown) {
    this.#body = body;
  }

  opened(stream: ClientHttp2Stream): void {
    this.#stream = stream;
    // Before undici hears of it, which would close the stream without a word.
    if (this.#body instanceof Readable) this.#body.once('error', (reason) => stream.destroy(reason));
  }

  /** What HTTP/1 would show of the same controller. */
  view(controller: ResponseController): ResponseController {
    if (controller !== this.#controller || !this.#view) {
      this.#controller = controller;
      this.#view = viewOf(controller, (reason) => this.#abort(controller, reason));
    }
    return this.#view;
  }

  /**
   * undici closes a stream without an error and destroys it. While the request is still being sent the upstream then hears
   * nothing and goes on waiting (undici 8.12, Node 26.10); and closing one with a code would first end the body in order, so
   * that half of it looks like the whole. A stream that is destroyed by an error is reset, and nothing else.
   */
  #abort(controller: ResponseController, reason: Error): void {
    const stream = this.#stream;
    if (stream?.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
    else stream?.destroy(reason);
    controller.abort(reason);
  }
}

function viewOf(controller: ResponseController, abort: (reason: Error) => void): ResponseController {
  return {
    get aborted() {
      return controller.aborted;
    },
    get paused() {
      return controller.paused;
    },
    get reason() {
      return controller.reason;
    },
    get rawHeaders() {
      return flatten(controller.rawHeaders);
    },
    get rawTrailers() {
      return flatten(controller.rawTrailers);
    },
    abort,
    pause: () => controller.pause(),
    resume: () => controller.resume(),
  } as ResponseController;
}

/** Names and values alternating, without the pseudo-headers, which begin with a colon. */
function flatten(fields: unknown): string[] | Buffer[] {
  if (Array.isArray(fields)) return fields as string[];
  return Object.entries((fields ?? {}) as Record<string, string | string[]>).flatMap(([name, value]) => {
    if (name.startsWith(':')) return [];
    return Array.isArray(value) ? value.flatMap((one) => [name, one]) : [name, String(value)];
  });
}
