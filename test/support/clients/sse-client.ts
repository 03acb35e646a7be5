/** A lean client for many streams at once: keeps a digest of the body, its length and how it ended, never the bytes. */
import { createHash } from 'node:crypto';
import { type Agent, type IncomingMessage, request } from 'node:http';

export interface Streamed {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: number;
  readonly sha256: string;
  /** Whether the framing says that everything came. */
  readonly complete: boolean;
}

export interface StreamRequest {
  readonly path: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

/** One stream that has begun. */
export interface OpenStream {
  readonly status: number;
  /** Resolves with the first bytes of the body. */
  readonly begun: Promise<void>;
  readonly ended: Promise<Streamed>;
}

/** Sends a request; resolves with the answer's head. Rejects when there is none. */
export function openStream(port: number, { path, body, headers = {}, agent }: StreamRequest): Promise<OpenStream> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenStream>();
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
    ...(agent !== undefined && { agent }),
  });
  sent.on('error', reject);
  sent.on('response', (response) => resolve(follow(response)));
  sent.end(body);
  return promise;
}

function follow(response: IncomingMessage): OpenStream {
  const hash = createHash('sha256');
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Streamed>();
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
    begun.resolve();
  });
  // A cut answer reports an error as well; `complete` says what became of it.
  response.on('error', () => {});
  response.on('close', () => {
    const { statusCode: status = 0, headers, complete } = response;
    begun.resolve();
    ended.resolve({ status, headers, bytes, sha256: hash.digest('hex'), complete });
  });
  return { status: response.statusCode ?? 0, begun: begun.promise, ended: ended.promise };
}
