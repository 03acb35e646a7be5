/** A client's request as an upstream of the other dialect gets it: another path, another body, its own headers. */
import type { UpstreamRequest } from '../dispatch/attempt.ts';
import { requestHeaders } from '../dispatch/headers.ts';
import { ProxyError } from '../errors.ts';
import { filterHeaders } from '../listen/raw-headers.ts';
import { WHOLE_BODY_BYTES } from '../route/long-bodies.ts';
import type { MatchedRequest } from '../route/read-request.ts';
import type { Candidate } from '../upstream/choose.ts';
import { chooseCredential } from '../upstream/credentials.ts';
import { joinUrl } from '../upstream/join-url.ts';
import type { JsonObject, TranslationContext, Translator } from './translator.ts';

/** Headers that mean something to the client's own dialect only, or that describe the body that is replaced. */
const DIALECT_HEADERS = new Set(['accept', 'content-type', 'content-encoding', 'content-digest', 'digest']);
const DIALECT_PREFIXES = ['anthropic-', 'openai-'];

/** The client's body as an object. @throws ProxyError bad_request when it is none, too_large when it is not all there */
export function parseBody({ body, route }: MatchedRequest, { upstream }: Candidate): JsonObject {
  const sent = body.send();
  if (sent.kind !== 'stream') return parse(sent.kind === 'whole' ? sent.bytes : undefined);
  const message = `Send at most ${WHOLE_BODY_BYTES} bytes to route "${route.name}": the request is translated for upstream "${upstream.name}"`;
  throw new ProxyError('too_large', message, { route: route.name, upstream: upstream.name, status: 413 });
}

/** @throws ProxyError bad_request when the body holds what cannot be carried over */
export function translateRequest(
  { incoming }: MatchedRequest,
  { upstream }: Candidate,
  secrets: ReadonlyMap<string, string>,
  { translator, context }: { readonly translator: Translator; readonly context: TranslationContext },
): UpstreamRequest {
  const { head } = incoming;
  const translated = translator.request(context.request ?? {}, context);
  const credential = chooseCredential(upstream, head, secrets);
  const kept = filterHeaders(head.rawHeaders, (name) => {
    return !DIALECT_HEADERS.has(name) && !DIALECT_PREFIXES.some((prefix) => name.startsWith(prefix));
  });
  return {
    method: 'POST',
    path: joinUrl(upstream.basePath, translated.path),
    headers: [
      ...requestHeaders(kept, credential, undefined),
      'content-type',
      'application/json',
      ...translated.headers,
    ],
    body: Buffer.from(JSON.stringify(translated.body)),
    waitsForClient: () => false,
  };
}

function parse(bytes: Buffer | undefined): JsonObject {
  try {
    const value: unknown = JSON.parse(bytes?.toString('utf8') ?? '');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Falls through: the parser's own message would quote the body.
  }
  throw new ProxyError('bad_request', 'Send the body as one JSON object, uncompressed: it has to be translated');
}
