/** One undici pool per upstream: its connections, its trust, its way out. Shared by snapshots as long as these stay the same. */
import { createSecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { ValidUpstream } from '#contract/compiled.ts';
import { type Egress, openTunnel, parseEgress } from './egress.ts';

/** The connections of one upstream. */
export interface UpstreamPool {
  /** Headers are a flat list of names and values. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  /** Closes every connection. */
  destroy(): Promise<void>;
}

/** How long an idle connection is kept: LLM calls come in bursts, and a TLS handshake costs more than the socket. */
const KEEP_ALIVE_MS = 30_000;
const MAX_KEEP_ALIVE_MS = 600_000;
const MAX_HEADER_BYTES = 64 * 1024;

const OPTIONS = {
  // undici offers HTTP/2 by default, and its aborts are not yet to be relied on.
  allowH2: false,
  pipelining: 1,
  // All limits are ours (dispatch/attempt.ts, stream/pump.ts): undici's idle limit stops while a client stalls.
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
};

/** What makes two upstreams' connections interchangeable. */
export function poolKey(upstream: ValidUpstream, ca: string | undefined): string {
  const { origin, proxyUrl, timeouts } = upstream;
  return JSON.stringify([origin, proxyUrl, ca, timeouts]);
}

/**
 * Opens a pool; no connection is made before the first request.
 * @param ca PEM bundle to trust instead of the public authorities
 */
export function openPool(upstream: ValidUpstream, ca: string | undefined): UpstreamPool {
  const { connectMs } = upstream.timeouts;
  const trust = { ...(ca !== undefined && { ca }), timeout: connectMs, allowH2: false };
  if (upstream.proxyUrl === undefined) return new Pool(upstream.origin, { ...OPTIONS, connect: trust });
  const egress = parseEgress(upstream.proxyUrl);
  if (upstream.origin.startsWith('http:')) return forwarding(egress, connectMs);
  const connectTls = buildConnector(trust);
  const connect: buildConnector.connector = (options, callback) => {
    const authority = `${options.hostname}:${options.port || '443'}`;
    openTunnel(egress, authority, connectMs, (error, socket) => {
      if (socket) connectTls({ ...options, httpSocket: socket }, callback);
      else callback(error ?? new Error('No tunnel'), null);
    });
  };
  return new Pool(upstream.origin, { ...OPTIONS, connect });
}

/** RFC 9112, section 3.2.2: the proxy is asked for the whole url. */
function forwarding({ origin, authorization }: Egress, connectMs: number): UpstreamPool {
  const pool = new Pool(origin, { ...OPTIONS, connect: { timeout: connectMs, allowH2: false } });
  return {
    destroy: () => pool.destroy(),
    dispatch: (options, handler) => {
      const { origin: target = '', path } = options;
      const headers = [...(options.headers as string[]), 'host', new URL(target).host];
      if (authorization !== undefined) headers.push('proxy-authorization', authorization);
      return pool.dispatch({ ...options, origin, path: `${String(target)}${path}`, headers }, handler);
    },
  };
}

/** @returns what is wrong with a PEM bundle, if anything */
export function trustProblem(pem: string): string | undefined {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return 'Expected a PEM bundle with at least one certificate';
  try {
    createSecureContext({ ca: pem });
    return undefined;
  } catch {
    return 'Expected a PEM bundle of certificates that can be parsed';
  }
}
