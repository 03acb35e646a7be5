/** What one try meant: for the record, for the upstream's health, for whether another try may follow. Pure. */
import type { Dialect } from '#contract/dialect.ts';
import { ProxyError } from '../errors.ts';
import type { AttemptOutcome } from '../exchange.ts';
import type { Candidate } from '../upstream/choose.ts';
import type { UpstreamAnswer } from './attempt.ts';

/** The upstream's failure, which another try may mend; everything else ends the exchange. */
export function isUpstreamsFault({ kind }: ProxyError): boolean {
  // At its limit it was not even asked, and another one may have room.
  return kind === 'connect_failed' || kind === 'upstream_broke' || kind === 'upstream_timeout' || kind === 'at_limit';
}

export function outcomeOf(error: unknown): AttemptOutcome {
  if (!(error instanceof ProxyError)) return 'cancelled';
  if (error.kind === 'connect_failed') return 'connect_failed';
  if (error.kind === 'upstream_broke') return 'broke';
  return error.kind === 'upstream_timeout' ? 'timeout' : 'cancelled';
}

export function detailOf(error: unknown): string | undefined {
  return error instanceof Error ? error.message : undefined;
}

/** What an attempt says about its upstream's health; counting tokens says nothing about answering, nor does a rate limit. */
export function healthFailure(
  outcome: AttemptOutcome,
  status: number | undefined,
  detail: string | undefined,
  path: string,
): string | undefined {
  if (outcome === 'cancelled' || path.endsWith('/count_tokens')) return 'none';
  if (outcome === 'answered') return undefined;
  if (outcome === 'refused')
    return status !== undefined && status < 500 && status >= 400 ? 'none' : (detail ?? outcome);
  return outcome;
}

export function broke({ upstream }: UpstreamAnswer, what: string): ProxyError {
  return new ProxyError('upstream_broke', `Upstream "${upstream.name}" ${what}`, { upstream: upstream.name });
}

export function untranslatable(client: Dialect, path: string, { upstream }: Candidate, route: string): ProxyError {
  const message = `Route "${path}" to an ${client} upstream: nothing translates it for upstream "${upstream.name}", which speaks ${upstream.dialect}`;
  return new ProxyError('untranslatable', message, { route, upstream: upstream.name });
}
