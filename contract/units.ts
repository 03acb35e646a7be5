/** Durations and byte quantities as users write them in a StreamProxy, parsed into milliseconds and bytes. */

const DURATION = /^([0-9]{1,9})(ms|s|m|h)$/;
const DURATION_FACTOR_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

const QUANTITY = /^([0-9]{1,12})(Ki|Mi|Gi)?$/;
const QUANTITY_FACTOR = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 } as const;

/**
 * Parses a duration such as `250ms`, `30s`, `5m` or `1h`.
 * @returns milliseconds, or undefined when the text has another form
 */
export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * DURATION_FACTOR_MS[match[2] as keyof typeof DURATION_FACTOR_MS];
}

/**
 * Parses a byte quantity such as `1024`, `64Ki`, `16Mi` or `1Gi` (Kubernetes binary suffixes).
 * @returns bytes, or undefined when the text has another form
 */
export function parseBytes(value: string | number): number | undefined {
  const match = QUANTITY.exec(String(value));
  if (!match) return undefined;
  const factor = match[2] === undefined ? 1 : QUANTITY_FACTOR[match[2] as keyof typeof QUANTITY_FACTOR];
  return Number(match[1]) * factor;
}
