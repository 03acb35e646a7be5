/** Undoes an answer's content-encoding in our own copy, bounded: what a client gets is never touched. */
import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

export interface Decoded {
  readonly bytes: Buffer;
  /** Whether there is more than `bytes`: the limit was reached, or the copy was cut. */
  readonly cut: boolean;
}

/** The codings of a content-encoding header, in the order in which they were applied; `identity` is none. */
export function encodingsOf(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
}

/**
 * @param encodings in the order in which they were applied
 * @param limitBytes of the result; a small body can unpack to a huge one
 * @returns undefined when a coding is unknown or the bytes are not of it
 */
export async function decodeBody(
  body: Buffer,
  encodings: readonly string[],
  limitBytes: number,
): Promise<Decoded | undefined> {
  let decoded: Decoded = { bytes: body, cut: false };
  for (const encoding of encodings.toReversed()) {
    const decoder = decoderOf(encoding);
    const next = decoder && (await collect(decoder, decoded.bytes, limitBytes));
    if (next === undefined) return undefined;
    decoded = { bytes: next.bytes, cut: decoded.cut || next.cut };
  }
  return decoded;
}

function decoderOf(encoding: string): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    case 'zstd':
      return createZstdDecompress({ finishFlush: constants.ZSTD_e_flush });
    default:
      return undefined;
  }
}

/** Runs in zlib's threads; stops as soon as the limit is passed. */
function collect(decoder: Transform, body: Buffer, limitBytes: number): Promise<Decoded | undefined> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const done = (cut: boolean): void => {
      decoder.destroy();
      resolve({ bytes: Buffer.concat(parts).subarray(0, limitBytes), cut: cut || bytes > limitBytes });
    };
    decoder.on('data', (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes > limitBytes) done(true);
    });
    decoder.on('end', () => done(false));
    // What came before the broken place is worth keeping; nothing at all means that it is another format.
    decoder.on('error', () => (bytes > 0 ? done(true) : resolve(undefined)));
    decoder.end(body);
  });
}
