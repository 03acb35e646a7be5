/** One undici pool per upstream: its connections, its trust, its way out. Shared by snapshots as long as these stay the same. */
import { hash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { ValidUpstream } from '#contract/compiled.ts';
import { bundleFacts } from '../authorities.ts';
import { ChunkReads } from './chunk-reads.ts';
import { type Egress, openTunnel, parseEgress } from './egress.ts';
import { http2Handler } from './http2.ts';

export type DispatchHandler = Dispatcher.DispatchHandler;
export type ResponseController = Dispatcher.DispatchController;

/** The connections of one upstream. */
export interface UpstreamPool {
  /** Headers are a flat list of names and values. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  /** The short way of chunked answers, where the connections have one. */
  readonly chunkReads?: ChunkReads;
  /** Closes every connection. */
  destroy(): Promise<void>;
}

/** How long an idle connection is kept: LLM calls come in bursts, and a TLS handshake costs more than the socket. */
const KEEP_ALIVE_MS = 30_000;
const MAX_KEEP_ALIVE_MS = 600_000;
const MAX_HEADER_BYTES = 64 * 1024;

const OPTIONS = {
  // undici offers HTTP/2 by default; here it is spoken with those only whose resource asks for it.
  allowH2: false,
  pipelining: 1,
  // All limits are ours (dispatch/attempt.ts, stream/pump.ts): undici's idle limit stops while a client stalls.
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
};

/** What the two sides of a TLS connection prove themselves with; all PEM. */
export interface TlsMaterial {
  /** Bundle to trust instead of the public authorities. */
  readonly ca?: string;
  /** Our own certificate, and its key. */
  readonly cert?: string;
  readonly key?: string;
}

/** What makes two upstreams' connections interchangeable. */
export function poolKey(upstream: ValidUpstream, tls: TlsMaterial): string {
  const { origin, proxyUrl, replay, timeouts, limits, http2 } = upstream;
  return hash('sha256', JSON.stringify([origin, proxyUrl, replay, tls, timeouts, limits?.connections, http2]));
}

/** Opens a pool; no connection is made before the first request. */
export function openPool(upstream: ValidUpstream, tls: TlsMaterial): UpstreamPool {
  const { limits, origin, proxyUrl, timeouts } = upstream;
  const { connectMs } = timeouts;
  const allowH2 = upstream.http2 === true;
  const options = {
    ...OPTIONS,
    allowH2,
    ...(limits?.connections !== undefined && { connections: limits.connections }),
  };
  const trust = { ...tls, timeout: connectMs, allowH2 };
  if (proxyUrl === undefined && !allowH2) return direct(origin, options, trust);
  if (proxyUrl === undefined) return versioned(new Pool(origin, { ...options, connect: trust }), allowH2);
  const egress = parseEgress(proxyUrl);
  if (origin.startsWith('http:')) return forwarding(egress, connectMs, options);
  const connectTls = buildConnector(trust);
  const connect: buildConnector.connector = (options, callback) => {
    const authority = `${options.hostname}:${options.port || '443'}`;
    openTunnel(egress, authority, connectMs, (error, socket) => {
      if (socket) connectTls({ ...options, httpSocket: socket }, callback);
      else callback(error ?? new Error('No tunnel'), null);
    });
  };
  return versioned(new Pool(origin, { ...options, connect }), allowH2);
}

function versioned(pool: UpstreamPool, allowH2: boolean): UpstreamPool {
  if (!allowH2) return pool;
  return {
    destroy: () => pool.destroy(),
    dispatch: (options, handler) => pool.dispatch(options, http2Handler(handler, options.body)),
  };
}

/** Over connections that we open ourselves and that speak HTTP/1.1, chunked answers can take the short way. */
function direct(origin: string, options: typeof OPTIONS, trust: buildConnector.BuildOptions): UpstreamPool {
  const chunkReads = new ChunkReads();
  const { onread } = chunkReads;
  // Passed on to `net.connect` and `tls.connect`, which both know it.
  const connect: buildConnector.BuildOptions & { onread: typeof onread } = { ...trust, onread };
  const pool = new Pool(origin, { ...options, connect });
  return {
    chunkReads,
    destroy: () => pool.destroy(),
    dispatch: (options, handler) => pool.dispatch(options, handler),
  };
}

/** RFC 9112, section 3.2.2: the proxy is asked for the whole url. */
function forwarding({ origin, authorization }: Egress, connectMs: number, options: typeof OPTIONS): UpstreamPool {
  const pool = new Pool(origin, { ...options, connect: { timeout: connectMs, allowH2: false } });
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

/** The files that an upstream names, as they were delivered; what is missing is absent. */
export function tlsMaterial(upstream: ValidUpstream, files: ReadonlyMap<string, string>): TlsMaterial {
  const { caFile, clientCertificate } = upstream;
  const ca = caFile === undefined ? undefined : files.get(caFile);
  const cert = clientCertificate && files.get(clientCertificate.certFile);
  const key = clientCertificate && files.get(clientCertificate.keyFile);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

/** @returns what is wrong with the certificate that an upstream shall be shown, if anything */
export function certificateProblem({ cert, key }: TlsMaterial): string | undefined {
  if (cert === undefined || key === undefined) return 'The certificate or its key is missing; deliver both again';
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch {
    // The library's own message may quote the key.
    return 'Expected a PEM certificate and the unencrypted PEM key that belongs to it';
  }
}

/** @returns what is wrong with a PEM bundle, if anything */
export function trustProblem(pem: string): string | undefined {
  const { found, readable } = bundleFacts(pem);
  if (found === 0) return 'Expected a PEM bundle with at least one certificate';
  return readable === 0 ? 'Expected a PEM bundle of certificates that can be parsed' : undefined;
}
