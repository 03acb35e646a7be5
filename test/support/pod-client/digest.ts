/** Hashes the raw bytes of the answers that global fetch brings, whatever reads them: the SDKs stay as they are. */
import { createHash } from 'node:crypto';

export interface Digested {
  readonly sha256: string;
  readonly bytes: number;
  /** The upstream's own id of the answer, from its request-id header. */
  readonly answerId: string;
}

export interface BodyDigest {
  /** Resolves when the last answer's body has been read to its end. */
  finished(): Promise<Digested>;
}

/** Watches the next event stream that global fetch brings. Calls to other servers (JSON, plain text) are left alone. */
export function digestBodies(): BodyDigest {
  const original = globalThis.fetch;
  const { promise, resolve, reject } = Promise.withResolvers<Digested>();
  globalThis.fetch = async (...args) => {
    const response = await original(...args);
    if (response.body === null || !(response.headers.get('content-type') ?? '').startsWith('text/event-stream'))
      return response;
    globalThis.fetch = original;
    const [own, theirs] = response.body.tee();
    const answerId = response.headers.get('request-id') ?? response.headers.get('x-request-id') ?? '';
    digest(own).then((found) => resolve({ ...found, answerId }), reject);
    return new Response(theirs, { status: response.status, headers: response.headers });
  };
  return { finished: () => promise };
}

async function digest(body: ReadableStream<Uint8Array>): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { sha256: hash.digest('hex'), bytes };
}
