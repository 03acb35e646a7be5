/**
 * The first-content gate: holds an event stream's opening events until content comes, so that an error event before it can
 * still be answered by another try. What was held stays as it came.
 */
import type { Dialect } from '#contract/dialect.ts';
import type { Verdict } from '../exchange.ts';
import type { StreamScanner } from '../stream/scan.ts';
import { errorCode } from '../unreachable.ts';
import type { UpstreamAnswer } from './attempt.ts';

/** Longest that opening events are held: a slow model must not look like a dead one. */
export const MAX_HOLD_MS = 10_000;

export type GateResult =
  /** Pass it on. */
  | { readonly kind: 'open'; readonly heldMs: number }
  /** An error, or nothing at all, came before any content. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** The connection broke before any content. */
  | { readonly kind: 'broke'; readonly detail: string };

export interface GateOptions {
  readonly dialect: Dialect;
  readonly path: string;
  readonly maxHoldMs: number;
  readonly signal: AbortSignal;
  scannerFor(dialect: Dialect, path: string, rawHeaders: readonly string[]): StreamScanner;
}

/** @throws the signal's reason */
export function gate(answer: UpstreamAnswer, options: GateOptions): Promise<GateResult> {
  const { signal } = options;
  const { body } = answer;
  const startedAt = performance.now();
  const scanner = options.scannerFor(options.dialect, options.path, answer.rawHeaders);
  const result = Promise.withResolvers<GateResult>();
  let scanned = 0;
  const look = (): void => {
    for (const chunk of body.held.slice(scanned)) scanner.push(chunk);
    scanned = body.held.length;
    const decided = decide(answer, scanner.verdict(), performance.now() - startedAt);
    if (decided) result.resolve(decided);
  };
  const timer = setTimeout(() => result.resolve({ kind: 'open', heldMs: options.maxHoldMs }), options.maxHoldMs);
  const onAbort = (): void => result.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  body.watch(look);
  look();
  return result.promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    body.watch(undefined);
  });
}

function decide({ body }: UpstreamAnswer, verdict: Verdict, heldMs: number): GateResult | undefined {
  if (verdict.content) return { kind: 'open', heldMs };
  if (verdict.error !== undefined) return { kind: 'refused', detail: verdict.error };
  if (body.state === 'cut') return { kind: 'broke', detail: errorCode(body.cause) };
  if (body.state === 'ended') {
    // A whole stream without content (a refusal, zero tokens) is an answer; one that lacks its end is none.
    return verdict.terminal === 'missing' ? { kind: 'refused', detail: 'empty stream' } : { kind: 'open', heldMs };
  }
  // Nothing that could be recognised will come.
  if (verdict.terminal === 'unknown' || body.full) return { kind: 'open', heldMs };
  return undefined;
}
