/** The client's request as one candidate gets it: its path, its key, its model; everything else as it came. */
import type { MatchedRequest } from '../route/read-request.ts';
import { rewriteTarget } from '../route/rewrite.ts';
import type { Candidate } from '../upstream/choose.ts';
import { chooseCredential } from '../upstream/credentials.ts';
import { joinUrl } from '../upstream/join-url.ts';
import type { UpstreamRequest } from './attempt.ts';
import { requestHeaders } from './headers.ts';

export function upstreamRequest(
  { incoming, body, route }: MatchedRequest,
  { upstream, model }: Candidate,
  secrets: ReadonlyMap<string, string>,
): UpstreamRequest {
  const { head } = incoming;
  const sent = body.send(model);
  const credential = chooseCredential(upstream, head, secrets);
  const contentLength = sent.kind === 'stream' ? sent.contentLength : undefined;
  return {
    method: head.method,
    path: joinUrl(upstream.basePath, rewriteTarget(route, head.target)),
    headers: requestHeaders(head.rawHeaders, credential, contentLength),
    body: sent.kind === 'none' ? null : sent.kind === 'whole' ? sent.bytes : sent.stream,
    waitsForClient: () => body.waitsForClient,
  };
}
