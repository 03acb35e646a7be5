/** A client that is nothing but a socket: it sends exact bytes, and keeps what came back with its time of arrival. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Arrival {
  /** `performance.now()` of the read. */
  readonly at: number;
  readonly bytes: Buffer;
}

export class RawClient {
  readonly socket: Socket;
  readonly arrivals: Arrival[] = [];
  /** How the connection ended, for good: `end` in order, or the code of its error. */
  readonly closed: Promise<string>;
  #wake: (() => void)[] = [];
  #isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    let how = 'end';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      how = error.code ?? error.message;
    });
    socket.on('data', (bytes: Buffer) => {
      this.arrivals.push({ at: performance.now(), bytes });
      this.#notify();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        this.#notify();
        resolve(how);
      });
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Connects and sends. */
  static async send(port: number, bytes: string | Buffer): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.write(bytes);
    return client;
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  get received(): Buffer {
    return Buffer.concat(this.arrivals.map(({ bytes }) => bytes));
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  /** Waits until what came so far satisfies; fails when the connection closes first. */
  async until(satisfied: (text: string) => boolean): Promise<string> {
    while (!satisfied(this.text)) {
      if (this.#isClosed)
        throw new Error(`The connection closed first, after: ${JSON.stringify(this.text.slice(-400))}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.text;
  }

  /** Waits for one whole answer by its framing. */
  async answer(): Promise<RawAnswer> {
    await this.until((text) => parseAnswer(Buffer.from(text, 'latin1'))?.complete === true);
    return parseAnswer(this.received) as RawAnswer;
  }

  /** What came, whole or not, after the connection has closed. */
  async rest(): Promise<RawAnswer> {
    await this.closed;
    const answer = parseAnswer(this.received);
    if (!answer) throw new Error(`No answer's head came: ${JSON.stringify(this.text.slice(0, 400))}`);
    return answer;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  /** By lower-case name; of several the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values as they came. */
  readonly rawHeaders: readonly (readonly [string, string])[];
  /** Chunks joined. */
  readonly body: Buffer;
  readonly trailers: string;
  /** Whether the framing says that everything came. */
  readonly complete: boolean;
}

/** Parses the first answer of some bytes; interim answers (1xx) are skipped. */
export function parseAnswer(bytes: Buffer): RawAnswer | undefined {
  const split = bytes.indexOf('\r\n\r\n');
  if (split === -1) return undefined;
  const head = bytes.subarray(0, split).toString('latin1');
  const status = Number(head.split(' ')[1]);
  const rest = bytes.subarray(split + 4);
  if (status < 200) return parseAnswer(rest);
  const rawHeaders = head
    .split('\r\n')
    .slice(1)
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const);
  const headers = Object.fromEntries(rawHeaders.map(([name, value]) => [name.toLowerCase(), value]));
  return { status, head, headers, rawHeaders, ...parseBody(rest, headers, status) };
}

function parseBody(rest: Buffer, headers: Readonly<Record<string, string>>, status: number) {
  if (status === 204 || status === 304) return { body: Buffer.alloc(0), trailers: '', complete: true };
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(rest);
  const length = headers['content-length'];
  if (length === undefined) return { body: rest, trailers: '', complete: false };
  return { body: rest.subarray(0, Number(length)), trailers: '', complete: rest.length >= Number(length) };
}

function parseChunks(bytes: Buffer): { body: Buffer; trailers: string; complete: boolean } {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const line = bytes.indexOf('\r\n', offset);
    if (line === -1) break;
    const size = Number.parseInt(bytes.subarray(offset, line).toString('latin1'), 16);
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', line);
      if (end === -1) break;
      return {
        body: Buffer.concat(parts),
        trailers: bytes.subarray(line + 2, end + 2).toString('latin1'),
        complete: true,
      };
    }
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    if (bytes.length < line + 2 + size + 2) break;
    if (bytes.toString('latin1', line + 2 + size, line + 4 + size) !== '\r\n')
      throw new Error('A chunk has no CRLF at its end');
    offset = line + 2 + size + 2;
  }
  return { body: Buffer.concat(parts), trailers: '', complete: false };
}
