/**
 * The listener on the loopback: sockets → IncomingRequest. Bare node:http, as nothing of a framework's is used on this way
 * (docs/decisions/2026-11-21-listen-with-node-http.md).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Exchanges } from './disconnect.ts';
import { type IncomingRequest, openIncoming } from './incoming.ts';
import { answerBadSocket, parserError } from './rescue.ts';

const LOOPBACK = '127.0.0.1';
const MAX_HEADER_BYTES = 32 * 1024;
const HEADERS_TIMEOUT_MS = 60_000;
/** Longer than SDKs keep an idle connection, so that it is they who close it and no request meets a closing socket. */
const KEEP_ALIVE_MS = 75_000;

export interface ListenOptions {
  readonly port: number;
  /** Serves one request to its end; never rejects. */
  serve(incoming: IncomingRequest): Promise<void>;
  /** Answers requests for our own endpoints. @returns false when the request is none of them */
  serveOwn(request: IncomingMessage, response: ServerResponse): boolean;
}

export interface Listener {
  readonly port: number;
  readonly exchanges: Exchanges;
  /** Accepts nothing more and closes what is idle; resolves when every connection is closed. */
  close(): Promise<void>;
  /** Destroys what is left. */
  destroy(): void;
}

export async function listen(options: ListenOptions): Promise<Listener> {
  const exchanges = new Exchanges();
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A large body over a slow connection is no attack on the loopback; silence is what we limit.
    requestTimeout: 0,
    noDelay: true,
  });
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const receivedAt = performance.now();
    if (options.serveOwn(request, response)) return;
    const incoming = openIncoming(request, response, exchanges.begin(response), receivedAt);
    void options.serve(incoming).finally(() => exchanges.end(response));
  };
  server.on('request', onRequest);
  // Answered here and never passed on: the upstream must not decide whether the client may send what we want to read.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    onRequest(request, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!exchanges.refuse(socket, parserError(error.code))) answerBadSocket(error, socket as Socket);
  });
  await bind(server, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    exchanges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    destroy: () => server.closeAllConnections(),
  };
}

function bind(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
