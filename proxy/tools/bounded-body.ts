/** Bodies of tools' servers up to a bound; what comes beyond is not even received. */

export interface BoundedBody {
  readonly bytes: Buffer;
  /** There was more. */
  readonly cut: boolean;
}

export async function readBounded(response: Response, maxBytes: number): Promise<BoundedBody> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part as Uint8Array);
    size += (part as Uint8Array).length;
    if (size > maxBytes) break;
  }
  const whole = Buffer.concat(parts);
  return { bytes: whole.subarray(0, maxBytes), cut: size > maxBytes };
}

/** A fetch for libraries that read whole bodies: each body breaks off with an error beyond so many bytes. */
export function boundedFetch(maxBytes: number): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const response = await fetch(url, init);
    const { body, headers, status, statusText } = response;
    if (body === null) return response;
    // What was decoded is not said to be encoded.
    const kept = new Headers(headers);
    kept.delete('content-encoding');
    kept.delete('content-length');
    return new Response(body.pipeThrough(limit(maxBytes)), { headers: kept, status, statusText });
  };
}

function limit(maxBytes: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let size = 0;
  return new TransformStream({
    transform(part, controller) {
      size += part.length;
      if (size > maxBytes) controller.error(new Error('The body is too long'));
      else controller.enqueue(part);
    },
  });
}
