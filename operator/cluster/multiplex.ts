/**
 * Long-lived answers over few connections (HTTP/2): each watched Secret on a TLS connection of its own would cost a third
 * of a MiB. Where the server speaks no HTTP/2, callers are told so and use HTTP/1.1.
 */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import type { RequestOptions } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** The API server takes 100 streams a connection unless told otherwise; one that takes fewer says so. */
const MOST_STREAMS = 90;
/** A peer that does not answer a ping within this time is gone, and all its streams with it. */
const PING_MS = 10_000;
const CONNECT_MS = 10_000;

export interface StreamedAnswer {
  readonly status: number;
  readonly body: ClientHttp2Stream;
}

interface Usage {
  readonly most: number;
  open: number;
}

export class Multiplexer {
  readonly #server: URL;
  readonly #sessions = new Map<ClientHttp2Session, Usage>();
  #connecting: Promise<ClientHttp2Session | undefined> | undefined;
  /** Remembered, or every watch would first open a connection only to ask. */
  #speaksHttp2 = true;

  constructor(server: URL) {
    this.#server = server;
  }

  /** @returns the answer's head and body; undefined when the server speaks no HTTP/2 */
  async get(
    path: string,
    options: RequestOptions,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<StreamedAnswer | undefined> {
    let session = this.#withRoom();
    while (!session) {
      if (!this.#speaksHttp2) return undefined;
      // One at a time: a hundred watches that start together share what comes.
      this.#connecting ??= this.#connect(options).finally(() => {
        this.#connecting = undefined;
      });
      const made = await orAborted(this.#connecting, signal);
      if (made?.destroyed) throw new Error('Cannot keep a connection: the API server closed it at once');
      session = this.#withRoom();
    }
    signal.throwIfAborted();
    // No await since the room was found: another could take it, and a stream too many is not refused, it hangs.
    const body = session.request({ ...headers, [constants.HTTP2_HEADER_PATH]: path }, { signal });
    this.#count(session, body);
    return { status: await statusOf(body), body };
  }

  #withRoom(): ClientHttp2Session | undefined {
    for (const [session, { open, most }] of this.#sessions) {
      if (!session.closed && !session.destroyed && open < most) return session;
    }
    return undefined;
  }

  async #connect({
    ca,
    cert,
    key,
    servername,
    rejectUnauthorized,
  }: RequestOptions): Promise<ClientHttp2Session | undefined> {
    const socket = connectTls({
      host: this.#server.hostname,
      port: Number(this.#server.port || 443),
      ALPNProtocols: ['h2', 'http/1.1'],
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    });
    await connected(socket);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      this.#speaksHttp2 = false;
      return undefined;
    }
    const session = connectHttp2(this.#server, { createConnection: () => socket });
    const most = await streamsTaken(session);
    this.#sessions.set(session, { most, open: 0 });
    const pinging = setInterval(() => this.#ping(session), PING_MS).unref();
    const forget = (): void => {
      clearInterval(pinging);
      this.#sessions.delete(session);
    };
    // Each stream of it fails by itself; the session's own error has nobody else to hear it.
    session.on('error', forget).on('goaway', forget).on('close', forget);
    return session;
  }

  #ping(session: ClientHttp2Session): void {
    const overdue = setTimeout(
      () => session.destroy(new Error(`The API server did not answer a ping for ${PING_MS} ms`)),
      PING_MS,
    ).unref();
    const isSent = !session.destroyed && session.ping(() => clearTimeout(overdue));
    if (!isSent) clearTimeout(overdue);
  }

  #count(session: ClientHttp2Session, stream: ClientHttp2Stream): void {
    const usage = this.#sessions.get(session) ?? { most: MOST_STREAMS, open: 0 };
    usage.open += 1;
    stream.once('close', () => {
      usage.open -= 1;
      if (usage.open === 0) session.close();
    });
  }
}

/** Connecting is shared, so one caller's abort ends only his waiting. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The server's first words on the connection say how many; it also shows that somebody is there. */
async function streamsTaken(session: ClientHttp2Session): Promise<number> {
  const closed = new AbortController();
  session.once('close', () => closed.abort(new Error('The API server closed the connection')));
  try {
    await once(session, 'remoteSettings', {
      signal: AbortSignal.any([closed.signal, AbortSignal.timeout(CONNECT_MS)]),
    });
  } catch (error) {
    session.on('error', () => undefined).destroy();
    throw closed.signal.aborted ? closed.signal.reason : error;
  }
  return Math.min(MOST_STREAMS, session.remoteSettings.maxConcurrentStreams ?? MOST_STREAMS);
}

/** A stream can also close without an error, when its whole connection goes: then there is neither answer nor error to wait for. */
function statusOf(body: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    body.once('response', (head) => resolve(Number(head[constants.HTTP2_HEADER_STATUS])));
    body.once('error', reject);
    body.once('close', () => reject(new Error('Cannot read an answer: the API server closed the connection')));
  });
}

async function connected(socket: TLSSocket): Promise<void> {
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(CONNECT_MS) });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.setKeepAlive(true, PING_MS);
}
