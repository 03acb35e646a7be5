/** Decoding for upstreams that compress although identity was asked, towards clients that cannot read it. */
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { headerValue, headerValues, type RawHeaders } from '../listen/raw-headers.ts';

/** Each gives out what it has as soon as it has it, so that events do not wait for the next ones. */
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/**
 * @returns the decoder that this client needs for this answer; undefined when the bytes can pass as they are, or when
 *   nothing here could decode them
 */
export function decoderFor(answer: RawHeaders, request: RawHeaders): Transform | undefined {
  const encoding = headerValue(answer, 'content-encoding')?.trim().toLowerCase();
  if (encoding === undefined || encoding === '' || encoding === 'identity') return undefined;
  if (accepts(request, encoding) || !Object.hasOwn(DECODERS, encoding)) return undefined;
  return DECODERS[encoding]?.();
}

/** RFC 9110, section 12.5.3; a client that says nothing is taken for one that cannot decode. */
function accepts(request: RawHeaders, encoding: string): boolean {
  const entries = headerValues(request, 'accept-encoding')
    .flatMap((value) => value.split(','))
    .map((entry) => {
      const [coding = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return { coding, allowed: quality === undefined || Number(quality) > 0 };
    });
  const named = entries.find(({ coding }) => coding === encoding || `x-${coding}` === encoding);
  return (named ?? entries.find(({ coding }) => coding === '*'))?.allowed ?? false;
}
