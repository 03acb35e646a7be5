/** When to try again, and after how long. Pure. The rules of the providers' own SDKs, applied before the first content. */
import { headerValue, type RawHeaders } from '../listen/raw-headers.ts';

/** Statuses that another try, or another upstream, may mend. 529 is Anthropic's overload. */
const RETRYABLE = new Set([429, 500, 502, 503, 504, 529]);
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 8_000;
const JITTER = 0.25;

/** Whether an answer counts as the upstream's failure. `x-should-retry: true` makes one of any error, `false` of none less. */
export function isRefusal(status: number, rawHeaders: RawHeaders): boolean {
  if (RETRYABLE.has(status)) return true;
  return status >= 400 && headerValue(rawHeaders, 'x-should-retry') === 'true';
}

/** Whether the upstream itself asks not to be tried again; another one may. */
export function forbidsRetry(rawHeaders: RawHeaders): boolean {
  return headerValue(rawHeaders, 'x-should-retry') === 'false';
}

/**
 * Milliseconds to wait before the next try at the same upstream.
 * @param failures earlier tries at it, at least 1
 * @param random from 0 to below 1
 */
export function backoffMs(failures: number, rawHeaders: RawHeaders, random: number, nowEpochMs: number): number {
  const asked = askedDelayMs(rawHeaders, nowEpochMs);
  if (asked !== undefined) return asked;
  const fullMs = Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS);
  return fullMs * (1 - JITTER * random);
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date. */
function askedDelayMs(rawHeaders: RawHeaders, nowEpochMs: number): number | undefined {
  const exactMs = Number.parseFloat(headerValue(rawHeaders, 'retry-after-ms') ?? '');
  if (exactMs >= 0) return exactMs;
  const text = headerValue(rawHeaders, 'retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowEpochMs);
}
