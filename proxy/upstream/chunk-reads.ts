/**
 * The short way of a chunked answer: whole plain chunks go from the socket's read to the client as they stand, framing
 * included, past undici's parser and Node's stream queue, which cost more than all else a relay does for a small event. The
 * parser gets the head, and of the body whatever is no whole plain chunk in one read; as chunks are left out whole, what it
 * sees is a shorter body of the same form, and errors, trailers and ends stay its to judge.
 */
import type { Socket } from 'node:net';
import { headerValues } from '../listen/raw-headers.ts';
import { ChunkCursor, wholeChunks } from './chunk-cursor.ts';

/** Takes chunks as the upstream framed them. */
export interface ChunkSink {
  /**
   * @param framed one or more whole chunks with their framing
   * @param bounds where the bytes of each begin and end in it, one after the other; valid until this returns
   */
  framed(framed: Buffer, bounds: readonly number[]): void;
}

/**
 * All reads of all such sockets go into it, and are out of it before the next. While it is filled, the system hands over up to
 * 32 of one socket's reads in one turn of the event loop: with Node's own 64 KiB one flood would hold all others up.
 */
const READ_BYTES = 16 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
/** Of the chunks that are being handed over. */
const bounds: number[] = [];
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const STATUS_LINE = Buffer.from('HTTP/1.1 ');
/** Interim answers have statuses that begin with it. */
const ONE = 0x31;
const LF = 0x0a;
const CR = 0x0d;
const socketReads = Symbol('socketReads');

type ReadSocket = Socket & { [socketReads]?: SocketReads };

/** One body's use of the short way. */
export interface Following {
  /** From here on everything goes to the parser, which waits and lets the socket fill. */
  pause(): void;
  resume(): void;
  /** The body is over. */
  leave(): void;
}

/** What a socket has read and who takes its chunks. One exchange at a time has the socket. */
class SocketReads {
  readonly #socket: ReadSocket;
  #sink: ChunkSink | undefined;
  #cursor = new ChunkCursor();
  #paused = false;
  /** What the parser got last. */
  parsing: Buffer | null = null;

  constructor(socket: ReadSocket) {
    this.#socket = socket;
  }

  follow(sink: ChunkSink, bodyFrom: number, bytes: Buffer): Following {
    this.#sink = sink;
    this.#paused = false;
    this.#cursor = new ChunkCursor();
    this.#cursor.advance(bytes, bodyFrom, bytes.length);
    return {
      pause: () => this.#pause(sink, true),
      resume: () => this.#pause(sink, false),
      leave: () => this.#leave(sink),
    };
  }

  #pause(sink: ChunkSink, paused: boolean): void {
    if (this.#sink === sink) this.#paused = paused;
  }

  #leave(sink: ChunkSink): void {
    if (this.#sink === sink) this.#sink = undefined;
  }

  /** @returns whether the socket shall go on reading */
  take(bytes: Buffer, length: number): boolean {
    if (this.#sink === undefined) return this.#toParser(bytes, 0, length);
    let from = 0;
    if (!this.#cursor.atBoundary) {
      from = this.#cursor.toBoundary(bytes, 0, length);
      if (this.#cursor.lost) this.#sink = undefined;
      const goesOn = this.#toParser(bytes, 0, from);
      if (from === length) return goesOn;
      // Now rather than after this turn, so that the chunks behind it need not queue up.
      this.#socket.emit('readable');
    }
    from = this.#toSink(bytes, from, length);
    if (from === length) return true;
    this.#cursor.advance(bytes, from, length);
    if (this.#cursor.lost) this.#sink = undefined;
    return this.#toParser(bytes, from, length);
  }

  /** @returns where the chunks end that the sink got */
  #toSink(bytes: Buffer, from: number, length: number): number {
    // What still waits for the parser comes first, and behind what it could not read comes nothing.
    if (this.#sink === undefined || this.#paused || this.#socket.readableLength > 0 || this.#socket.destroyed)
      return from;
    bounds.length = 0;
    const end = wholeChunks(bytes, from, length, bounds);
    if (end > from) this.#sink.framed(copyOf(bytes, from, end), bounds);
    return end;
  }

  #toParser(bytes: Buffer, from: number, to: number): boolean {
    return this.#socket.push(copyOf(bytes, from, to));
  }
}

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  bytes.copy(copy, 0, from, to);
  return copy;
}

/** The short way of one pool's connections. */
export class ChunkReads {
  /** The socket whose bytes the parser got last: what the parser tells, it tells of these. */
  #current: SocketReads | undefined;

  /** What `net.connect` and `tls.connect` need to be told; for HTTP/1.1 only. */
  readonly onread: { buffer: Buffer; callback: (this: Socket, length: number, bytes: Uint8Array) => boolean };

  constructor() {
    const readsOf = (socket: Socket): SocketReads => this.#readsOf(socket);
    this.onread = {
      buffer: readBuffer,
      callback(length, bytes) {
        return readsOf(this).take(bytes as Buffer, length);
      },
    };
  }

  /**
   * To be called while undici tells of an answer's head. From now on its chunks come to the sink where they can; the others
   * come by way of undici's handler, all in their order.
   * @param rawHeaders the answer's, names and values alternating
   * @returns undefined when all of them come by way of the handler
   */
  follow(rawHeaders: readonly string[], sink: ChunkSink): Following | undefined {
    const reads = this.#current;
    const bytes = reads?.parsing;
    const [coding = '', ...more] = headerValues(rawHeaders, 'transfer-encoding');
    if (!reads || !bytes || coding.toLowerCase() !== 'chunked' || more.length > 0) return undefined;
    const bodyFrom = endOfHead(bytes);
    return bodyFrom === undefined ? undefined : reads.follow(sink, bodyFrom, bytes);
  }

  #readsOf(socket: ReadSocket): SocketReads {
    const known = socket[socketReads];
    if (known) return known;
    const reads = new SocketReads(socket);
    socket[socketReads] = reads;
    const read = socket.read.bind(socket);
    socket.read = (size) => {
      const bytes = read(size) as Buffer | null;
      reads.parsing = bytes;
      this.#current = reads;
      return bytes;
    };
    return reads;
  }
}

/** @returns where the body begins; undefined unless the bytes begin with the only head, whole, with strict line ends */
function endOfHead(bytes: Buffer): number | undefined {
  const at = bytes.indexOf(END_OF_HEAD);
  if (at === -1 || !bytes.subarray(0, STATUS_LINE.length).equals(STATUS_LINE) || bytes[STATUS_LINE.length] === ONE)
    return undefined;
  const end = at + END_OF_HEAD.length;
  for (let lf = bytes.indexOf(LF); lf !== -1 && lf < end; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf - 1] !== CR) return undefined;
  }
  return end;
}
