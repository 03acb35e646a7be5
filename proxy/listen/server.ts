/**
 * The listener on the loopback: sockets → IncomingRequest. Bare node:http, as nothing of a framework's is used on this way
 * (docs/decisions/2026-11-21-listen-with-node-http.md).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DEFAULT_LISTEN_TIMEOUTS } from '#contract/compiled-listen.ts';
import { Interruption } from '../errors.ts';
import type { Certificate } from '../gateway/door.ts';
import type { Identity } from '../gateway/identify.ts';
import { noteSockets } from '../gateway/reset.ts';
import { Exchanges } from './disconnect.ts';
import { type IncomingRequest, openIncoming } from './incoming.ts';
import { answerBadSocket, parserError } from './rescue.ts';

const LOOPBACK = '127.0.0.1';
const MAX_HEADER_BYTES = 32 * 1024;
/** How often heads that take too long are looked for. */
const HEAD_CHECK_MS = 2_000;
/** Longer than SDKs keep an idle connection, so that it is they who close it and no request meets a closing socket. */
const KEEP_ALIVE_MS = 75_000;

const SETTINGS = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: DEFAULT_LISTEN_TIMEOUTS.headMs,
  connectionsCheckingInterval: HEAD_CHECK_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // A large body over a slow connection is no attack on the loopback; silence is what we limit.
  requestTimeout: 0,
  noDelay: true,
};

export interface ListenOptions {
  /** @default the loopback */
  readonly host?: string;
  readonly port: number;
  /** Whether it speaks TLS; no handshake succeeds before the first certificate. */
  readonly tls?: boolean;
  /** Says who calls; absent, or undefined: nobody is asked. */
  identify?(rawHeaders: readonly string[]): Identity | undefined;
  /** Serves one request to its end; never rejects. */
  serve(incoming: IncomingRequest): Promise<void>;
  /** Limit for the whole head of a request, in milliseconds; 0: none. Asked at each new connection. @default 60 s */
  headLimitMs?(): number;
  /** Answers requests for our own endpoints. @returns false when the request is none of them */
  serveOwn(request: IncomingMessage, response: ServerResponse): boolean;
}

export interface Listener {
  readonly port: number;
  readonly exchanges: Exchanges;
  /** New connections get this certificate. */
  useCertificate(certificate: Certificate): void;
  /** Goes on as before, and asks each client to come back on another connection. */
  leave(): void;
  /** Accepts nothing more and closes what is idle; resolves when every connection is closed. */
  close(): Promise<void>;
  /** Destroys what is left. */
  destroy(): void;
}

export async function listen(options: ListenOptions): Promise<Listener> {
  const exchanges = new Exchanges();
  const secure = options.tls ? createTlsServer(SETTINGS) : undefined;
  if (secure) noteSockets(secure);
  const server: Server = secure ?? createServer(SETTINGS);
  // Beyond its limit Node drops headers silently; guard.ts counts them and refuses.
  server.maxHeadersCount = 0;
  server.on('connection', () => {
    server.headersTimeout = options.headLimitMs?.() ?? DEFAULT_LISTEN_TIMEOUTS.headMs;
  });
  let leaving = false;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const receivedAt = performance.now();
    if (leaving) response.shouldKeepAlive = false;
    if (options.serveOwn(request, response)) return;
    const identity = options.identify?.(request.rawHeaders);
    const incoming = openIncoming(request, response, exchanges.begin(response), receivedAt, identity);
    void options.serve(incoming).finally(() => exchanges.end(response));
  };
  server.on('request', onRequest);
  // Answered here and never passed on: the upstream must not decide whether the client may send what we want to read.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    onRequest(request, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A failed handshake: nobody is there who could read an answer.
    if (secure && !error.code?.startsWith('HPE_') && error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy();
    else if (!exchanges.refuse(socket, hasLeft(error) ? new Interruption('client_gone') : parserError(error.code)))
      answerBadSocket(error, socket as Socket);
  });
  await bind(server, options.host ?? LOOPBACK, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    exchanges,
    useCertificate: (certificate) => {
      if (secure) secure.setSecureContext({ ...certificate });
    },
    leave: () => {
      leaving = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    destroy: () => server.closeAllConnections(),
  };
}

/** A connection that ended in the middle of a body: nobody is there to be told. */
function hasLeft({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE';
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
