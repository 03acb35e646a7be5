/** One try at one candidate: the request in its form, sent through its pool, and the answer in the client's own form. */
import type { CompiledConfig } from '#contract/compiled.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { chained } from '../gateway/chain.ts';
import { WHOLE_BODY_BYTES } from '../route/long-bodies.ts';
import type { MatchedRequest } from '../route/read-request.ts';
import { PEEK_BYTES } from '../route/request-body.ts';
import { flavorOf } from '../translate/flavors.ts';
import { translateAnswer } from '../translate/translate-answer.ts';
import { parseBody, translateRequest } from '../translate/translate-request.ts';
import type { TranslationContext } from '../translate/translator.ts';
import { translatorFor } from '../translate/translators.ts';
import { mayHoldUnsigned, withoutUnsigned } from '../translate/unsigned.ts';
import type { Candidate, Plan } from '../upstream/choose.ts';
import { attempt, type UpstreamAnswer } from './attempt.ts';
import { upstreamRequest } from './upstream-request.ts';

export interface SendOptions {
  readonly snapshot: Snapshot;
  /** Aborts with an Interruption or a ProxyError. */
  readonly signal: AbortSignal;
  /** Counts a part of the request or the answer that the other dialect has no place for. */
  readonly lost: (upstream: string, what: string) => void;
}

/**
 * Reads all of a body that has to be looked at as a whole: one that may be translated, and one in which thinking that nobody
 * signed may come back.
 * @throws what the body failed with
 */
export async function gatherWhole(
  request: MatchedRequest,
  { candidates }: Plan,
  config: CompiledConfig,
): Promise<void> {
  const { head, path, signal } = request.incoming;
  const foreign = candidates.some(({ upstream }) => translatorFor(head.dialect, upstream.dialect, path) !== undefined);
  if (foreign) await request.body.gather(WHOLE_BODY_BYTES, signal);
  else if (path === '/v1/messages' && mayHoldUnsigned(config, head.dialect))
    await request.body.gather(PEEK_BYTES, signal);
}

/** @throws ProxyError, or the signal's reason */
export async function send(
  request: MatchedRequest,
  candidate: Candidate,
  { snapshot, signal, lost }: SendOptions,
): Promise<UpstreamAnswer> {
  const { incoming, facts } = request;
  const { upstream } = candidate;
  const { dialect } = incoming.head;
  const translator = translatorFor(dialect, upstream.dialect, incoming.path);
  const sent = { signal, inform: incoming.client.inform.bind(incoming.client) };
  const pool = snapshot.pool(upstream);
  if (!translator) {
    const native = upstreamRequest(request, candidate, snapshot.credentials);
    const { body } = native;
    const looked = Buffer.isBuffer(body) && mayHoldUnsigned(snapshot.config, dialect);
    const sendable = looked ? { ...native, body: withoutUnsigned(body) } : native;
    return attempt(pool, upstream, chained(sendable, upstream, incoming.head), sent);
  }
  const context = contextOf(request, candidate, lost);
  const translation = { translator, context };
  const asked = translateRequest(request, candidate, snapshot.credentials, translation);
  const answer = await attempt(pool, upstream, chained(asked, upstream, incoming.head), sent);
  return translateAnswer(answer, { ...translation, dialect, stream: facts.stream, signal });
}

function contextOf(request: MatchedRequest, candidate: Candidate, lost: SendOptions['lost']): TranslationContext {
  const { incoming, facts } = request;
  const { upstream, model } = candidate;
  const { flavor, maxTokens, onLoss } = upstream.translation;
  return {
    request: parseBody(request, candidate),
    model: model ?? facts.model,
    askedModel: facts.model,
    defaultMaxTokens: maxTokens,
    flavor: flavorOf(flavor),
    onLoss,
    lost: (what) => lost(upstream.name, what),
    exchangeId: incoming.head.id,
    createdSeconds: Math.floor(incoming.head.receivedAtEpochMs / 1000),
  };
}
