/**
 * The way back to the client: head, chunks, end or abort, each at most once. Chunks of a chunked answer are framed here, one
 * write each, and leave together at the end of the turn in which they came: system calls are what a relay of small events costs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { reset } from '../gateway/reset.ts';
import { headerValue } from '../listen/raw-headers.ts';

/** How long the rest of an unwanted body is read. */
const DISCARD_MS = 1_000;

export class ClientAnswer {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** Set while we frame chunks ourselves; what Node wrote before is already in this socket's queue, so order holds. */
  #socket: Socket | undefined;
  #status = 0;
  #hasLength = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
  }

  /** The status that was sent; 0 before. */
  get status(): number {
    return this.#status;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** Whether the body's end can be told from a broken connection by a missing final chunk. */
  get chunked(): boolean {
    return this.#response.chunkedEncoding;
  }

  /** An interim answer such as 103; dropped for clients that cannot take it, or whose turn has not come. */
  inform(status: number, rawHeaders: readonly string[]): void {
    const { socket } = this.#response;
    if (!socket || this.begun || this.#request.httpVersionMinor === 0) return;
    const lines = [`HTTP/1.1 ${status} ${status === 103 ? 'Early Hints' : 'Information'}`];
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
    }
    socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  }

  /**
   * Sends the head at once. Everything that `then` writes goes out together with it, in one packet.
   * @param rawHeaders end-to-end headers; framing and connection headers are ours
   */
  begin(status: number, statusMessage: string, rawHeaders: readonly string[], then: () => void): void {
    const response = this.#response;
    response.sendDate = false;
    // What the client has not sent yet would be read as the next request.
    if (!this.#request.complete) response.shouldKeepAlive = false;
    response.writeHead(status, statusMessage, rawHeaders as string[]);
    this.#status = status;
    this.#hasLength = headerValue(rawHeaders, 'content-length') !== undefined;
    const { socket } = response;
    socket?.cork();
    response.flushHeaders();
    // A socket that is not ours yet (a pipelined request before us is unfinished) takes the ordinary way.
    if (socket && response.chunkedEncoding) this.#socket = socket;
    try {
      then();
    } finally {
      socket?.uncork();
    }
  }

  /** Whether chunks can leave in the upstream's framing. */
  get takesFramed(): boolean {
    return this.#socket !== undefined;
  }

  /** Whole chunks with their framing; only where `takesFramed`. @returns as `write` does */
  writeFramed(framed: Buffer): boolean {
    return this.#socket?.write(framed) ?? true;
  }

  /** @returns whether more may be written; if not, `onDrain` tells when */
  write(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    const socket = this.#socket;
    if (!socket) return this.#response.write(chunk);
    // Chunks that came in one packet leave in one: without this each would be a system call of its own.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(uncork, socket);
    }
    return socket.write(frame(chunk));
  }

  onDrain(resume: () => void): void {
    (this.#socket ?? this.#response).once('drain', resume);
  }

  /** Bytes that were written and have not left yet. */
  get pendingBytes(): number {
    return this.#socket?.writableLength ?? this.#response.writableLength;
  }

  /** Ends the answer as whole; resolves when its last byte was handed to the system, or the connection is gone. */
  async end(rawTrailers: readonly string[]): Promise<void> {
    const response = this.#response;
    if (!this.#request.complete) await discard(this.#request);
    if (rawTrailers.length > 0) response.addTrailers(pairs(rawTrailers));
    await new Promise<void>((resolve) => {
      if (response.destroyed) resolve();
      response.once('close', resolve);
      response.end(() => resolve());
    });
  }

  /**
   * Cuts the connection: no final chunk, so that nobody can take what came for the whole.
   * @param pending what becomes of bytes that were handed over and have not left: a client that reads shall have them, one
   *   that has stalled or left would keep the connection open for them
   */
  abort(pending: 'send' | 'drop'): void {
    if (this.#response.destroyed) return;
    const socket = this.#response.socket ?? this.#request.socket;
    // Where only the connection's end ends the answer, an orderly close would look like the whole.
    const endsByClose = this.begun && !this.chunked && !this.#hasLength;
    if (endsByClose) reset(socket);
    else if (pending === 'send' && socket.writableLength > 0) socket.destroySoon();
    else socket.destroy();
  }
}

/**
 * Reads the rest of a body that nobody wants and throws it away, for a while: closing on unread bytes resets the connection,
 * and the reset can overtake the answer.
 */
async function discard(request: IncomingMessage): Promise<void> {
  request.removeAllListeners('data');
  request.resume();
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, DISCARD_MS);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.once('end', stop).once('close', stop);
  });
  await over;
}

function uncork(socket: Socket): void {
  socket.uncork();
}

const CRLF_BYTES = 2;

/** RFC 9112, section 7.1: size in hexadecimal, CRLF, bytes, CRLF. */
export function frame(chunk: Buffer): Buffer {
  const size = chunk.length.toString(16);
  const framed = Buffer.allocUnsafe(size.length + chunk.length + 2 * CRLF_BYTES);
  let offset = framed.write(size, 0, 'latin1');
  framed[offset++] = 0x0d;
  framed[offset++] = 0x0a;
  chunk.copy(framed, offset);
  offset += chunk.length;
  framed[offset++] = 0x0d;
  framed[offset] = 0x0a;
  return framed;
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) list.push([raw[index] as string, raw[index + 1] as string]);
  return list;
}
