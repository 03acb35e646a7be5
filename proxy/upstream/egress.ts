/**
 * The way out through an egress proxy: a tunnel (CONNECT) to https upstreams, a request with the whole url to http ones.
 * Own code as undici's ProxyAgent joins repeated headers, and sends all http requests one after the other.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';

/** Where the egress proxy is, and what it asks for. */
export interface Egress {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Value of `proxy-authorization`, from the url's user and password. */
  readonly authorization: string | undefined;
}

export function parseEgress(proxyUrl: string): Egress {
  const { origin, username, password } = new URL(proxyUrl);
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { origin, authorization: username === '' ? undefined : `Basic ${Buffer.from(user).toString('base64')}` };
}

/** Gets a tunnel's socket, or why there is none. */
export type TunnelCallback = (error: Error | null, socket: Socket | null) => void;

/**
 * Opens a tunnel.
 * @param authority host and port of the upstream
 * @param timeoutMs limit for the proxy's answer; 0: none
 * @param done called once; its error has a code
 */
export function openTunnel(egress: Egress, authority: string, timeoutMs: number, done: TunnelCallback): void {
  const open = egress.origin.startsWith('https:') ? httpsRequest : httpRequest;
  const request = open(egress.origin, {
    method: 'CONNECT',
    path: authority,
    agent: false,
    headers: { host: authority, ...(egress.authorization && { 'proxy-authorization': egress.authorization }) },
  });
  const late = Object.assign(new Error('The egress proxy did not answer'), { code: 'EGRESS_PROXY_TIMEOUT' });
  const timer = timeoutMs > 0 ? setTimeout(() => request.destroy(late), timeoutMs) : undefined;
  const settle: TunnelCallback = (error, socket) => {
    clearTimeout(timer);
    // The request is over; what happens to its socket from here on is the pool's to see.
    request.removeAllListeners('error').on('error', () => {});
    done(error, socket);
  };
  request.once('connect', (answer, socket: Socket, head) => {
    if (answer.statusCode === 200 && head.length === 0) {
      settle(null, socket);
      return;
    }
    socket.destroy();
    settle(refusal(answer.statusCode ?? 0), null);
  });
  request.once('response', (answer) => {
    answer.destroy();
    settle(refusal(answer.statusCode ?? 0), null);
  });
  request.once('error', (error) => settle(error, null));
  request.end();
}

function refusal(status: number): Error {
  return Object.assign(new Error('The egress proxy refused'), { code: `EGRESS_PROXY_${status}` });
}
