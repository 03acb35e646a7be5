/** An upstream that is nothing but a socket: it shows each request's exact bytes, and answers exactly what the test writes. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** One request as it arrived, and the connection to answer it on. */
export interface UpstreamExchange {
  readonly head: string;
  /** Names and values as they came. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly socket: Socket;
  /** Resolves when the other side has closed, with the `performance.now()` of it. */
  readonly closed: Promise<number>;
  header(name: string): string | undefined;
  write(bytes: string | Buffer): Promise<void>;
  /** Head of a chunked event stream. */
  openStream(headers?: string): Promise<void>;
  chunk(bytes: string | Buffer): Promise<void>;
  endChunks(trailers?: string): Promise<void>;
  /** A whole answer with its length. */
  reply(status: number, body: string, headers?: string): Promise<void>;
  /** Closes in the middle: FIN, or RST. */
  cut(): void;
  reset(): void;
}

export class RawUpstream {
  readonly #server: Server;
  readonly #arrived: UpstreamExchange[] = [];
  readonly #sockets = new Set<Socket>();
  #wake: (() => void)[] = [];
  connections = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port = 0): Promise<RawUpstream> {
    const server = createServer({ noDelay: true, allowHalfOpen: false });
    const upstream = new RawUpstream(server);
    server.on('connection', (socket) => upstream.#serve(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Requests that arrived and that nobody has taken. */
  get waiting(): number {
    return this.#arrived.length;
  }

  /** The next request, its body read. */
  async next(): Promise<UpstreamExchange> {
    for (;;) {
      const exchange = this.#arrived.shift();
      if (exchange) return exchange;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    const closed = new Promise<number>((resolve) => {
      socket.on('close', () => {
        this.#sockets.delete(socket);
        resolve(performance.now());
      });
    });
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let parsed = parseRequest(bytes); parsed; parsed = parseRequest(bytes)) {
        bytes = bytes.subarray(parsed.used);
        this.#arrived.push(exchangeOf(parsed.head, parsed.body, socket, closed));
        for (const wake of this.#wake.splice(0)) wake();
      }
    });
  }
}

interface ParsedRequest {
  readonly head: string;
  readonly body: Buffer;
  readonly used: number;
}

function parseRequest(bytes: Buffer): ParsedRequest | undefined {
  const split = bytes.indexOf('\r\n\r\n');
  if (split === -1) return undefined;
  const head = bytes.subarray(0, split).toString('latin1');
  const start = split + 4;
  const length = /^content-length: *([0-9]+)/im.exec(head)?.[1];
  if (!/^transfer-encoding: *chunked/im.test(head)) {
    const end = start + Number(length ?? 0);
    return bytes.length < end ? undefined : { head, body: bytes.subarray(start, end), used: end };
  }
  const parts: Buffer[] = [];
  for (let offset = start; ; ) {
    const line = bytes.indexOf('\r\n', offset);
    if (line === -1) return undefined;
    const size = Number.parseInt(bytes.subarray(offset, line).toString('latin1'), 16);
    const next = line + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { head, body: Buffer.concat(parts), used: next };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    offset = next;
  }
}

function exchangeOf(head: string, body: Buffer, socket: Socket, closed: Promise<number>): UpstreamExchange {
  const headers = head
    .split('\r\n')
    .slice(1)
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const);
  const write = (bytes: string | Buffer): Promise<void> =>
    new Promise((resolve) => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, () => resolve());
    });
  return {
    head,
    headers,
    body,
    socket,
    closed,
    header: (name) => headers.find(([given]) => given.toLowerCase() === name)?.[1],
    write,
    openStream: (more = '') =>
      write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n${more}\r\n`),
    chunk: (bytes) => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      return write(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]));
    },
    endChunks: (trailers = '') => write(`0\r\n${trailers}\r\n`),
    reply: (status, text, more = '') =>
      write(`HTTP/1.1 ${status} Status\r\ncontent-length: ${Buffer.byteLength(text)}\r\n${more}\r\n${text}`),
    cut: () => socket.destroy(),
    reset: () => socket.resetAndDestroy(),
  };
}
