/**
 * A parser of HTTP/1.1 requests that forgives nothing (RFC 9112): what it refuses, two parsers could read in two ways. It judges
 * what clients send, where a refusal means that no 2xx may follow, and what the upstream gets, where a refusal is our bug.
 */

export type Strict =
  | { readonly kind: 'whole'; readonly target: string; readonly used: number }
  /** More bytes could still make it whole. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'refused'; readonly why: string };

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (\S+) HTTP\/1\.([01])$/;
/** RFC 9112, section 3: a recipient may split the line at runs of spaces. Target and method are the same for every reader. */
const LOOSE_REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ +(\S+) +HTTP\/1\.([01]) *$/;
/** Field values: tab, and what is visible in Latin-1; no other control character. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
const SIZE = /^[0-9A-Fa-f]{1,8}$/;
const SIZE_WITH_EXTENSION = /^[0-9A-Fa-f]{1,8}[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

const refused = (why: string): Strict => ({ kind: 'refused', why });

/**
 * Reads the first request of some bytes.
 * @param fromUs the bytes are a proxy's: what recipients may forgive (runs of spaces, chunk extensions) is refused too
 */
export function readStrictly(bytes: Buffer, fromUs: boolean): Strict {
  const split = bytes.indexOf('\r\n\r\n');
  const head = bytes.toString('latin1', 0, split === -1 ? bytes.length : split);
  if (/[^\r]\n|^\n|\r[^\n]|\0/.test(head)) return refused('a bare CR or LF, or a NUL, in the head');
  if (split === -1) return { kind: 'partial' };
  const [requestLine = '', ...lines] = head.split('\r\n');
  const [, target, minor] = (fromUs ? REQUEST_LINE : LOOSE_REQUEST_LINE).exec(requestLine) ?? [];
  if (target === undefined) return refused('the request line');
  const fields = lines.map((line) => FIELD.exec(line));
  if (fields.some((field) => field === null)) return refused('a field line');
  const named = (name: string): string[] =>
    fields.flatMap((field) => (field?.[1]?.toLowerCase() === name ? [(field[2] ?? '').trim()] : []));
  const framing = framingOf(named, minor === '0');
  if (typeof framing === 'string') return refused(framing);
  const start = split + 4;
  if (framing.kind === 'chunked') return readChunks(bytes, start, target, fromUs);
  const used = start + framing.length;
  return bytes.length < used ? { kind: 'partial' } : { kind: 'whole', target, used };
}

type Framing = { readonly kind: 'chunked' } | { readonly kind: 'length'; readonly length: number };

/** @returns the framing, or what is wrong */
function framingOf(named: (name: string) => string[], isOld: boolean): Framing | string {
  const lengths = named('content-length');
  const codings = named('transfer-encoding');
  const hosts = named('host').length;
  if (hosts > 1 || (hosts === 0 && !isOld)) return 'not one Host';
  if (lengths.length > 1) return 'more than one Content-Length';
  const [length] = lengths;
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) return 'a Content-Length that is no number';
  if (codings.length === 0) return { kind: 'length', length: Number(length ?? 0) };
  if (length !== undefined) return 'Content-Length with Transfer-Encoding';
  if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') return 'a Transfer-Encoding that is not "chunked"';
  return isOld ? 'Transfer-Encoding in HTTP/1.0' : { kind: 'chunked' };
}

function readChunks(bytes: Buffer, start: number, target: string, fromUs: boolean): Strict {
  for (let at = start; ; ) {
    const end = bytes.indexOf('\r\n', at);
    const line = bytes.toString('latin1', at, end === -1 ? bytes.length : end);
    if (/[\r\n]./s.test(line) || line.includes('\n')) return refused('a bare CR or LF in a chunk size');
    if (end === -1) return { kind: 'partial' };
    if (!(fromUs ? SIZE : SIZE_WITH_EXTENSION).test(line)) return refused('a chunk size');
    const size = Number.parseInt(line, 16);
    if (size === 0) return readTrailers(bytes, end + 2, target);
    const after = end + 2 + size;
    if (bytes.length < after + 2) return { kind: 'partial' };
    if (bytes.toString('latin1', after, after + 2) !== '\r\n') return refused('no CRLF behind a chunk');
    at = after + 2;
  }
}

function readTrailers(bytes: Buffer, start: number, target: string): Strict {
  for (let at = start; ; ) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return { kind: 'partial' };
    if (end === at) return { kind: 'whole', target, used: end + 2 };
    if (!FIELD.test(bytes.toString('latin1', at, end))) return refused('a trailer line');
    at = end + 2;
  }
}
