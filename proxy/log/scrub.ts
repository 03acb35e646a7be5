/** Takes credentials out of values that are about to be logged: by the field's name, by the value's form, and by exact value. */

const REMOVED = '[removed]';
const TEXT_LIMIT = 4096;
const SCAN_LIMIT = 16 * TEXT_LIMIT;
const DEPTH_LIMIT = 5;
const ITEM_LIMIT = 100;

/** Field names whose value is a credential whatever it looks like. */
const SECRET_NAME =
  /authorization|cookie|password|passwd|secret|credential|api[-_]?key|access[-_]?key|private[-_]?key|^dsn$|(^|[-_a-z])token$/i;

/** Forms of credentials in running text: schemes, provider keys, tokens (JWT), urls with a password. */
const SECRET_FORMS: readonly (readonly [RegExp, string])[] = [
  [/\b(bearer|basic)\s+[A-Za-z0-9+/_.~=-]{4,}/gi, `$1 ${REMOVED}`],
  [/\b(?:sk|pk|rk|key|ghp|gho|xox[abp]|glpat|AIza)[-_][A-Za-z0-9_-]{8,}/g, REMOVED],
  [/\bAIza[A-Za-z0-9_-]{20,}/g, REMOVED],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, REMOVED],
  [/(\/\/[^/\s:@]{0,256}:)[^/\s@]{1,256}@/g, `$1${REMOVED}@`],
  [/([?&](?:api[-_]?key|key|token|access[-_]?token|sig|signature|password)=)[^&\s"']{1,4096}/gi, `$1${REMOVED}`],
];

/**
 * A copy of the value that can be written to a log.
 * @param secrets exact values to take out wherever they occur; shorter than 6 characters they are ignored, as they would hit words
 */
export function scrub(value: unknown, secrets: readonly string[] = [], depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value, secrets);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= DEPTH_LIMIT) return '[too deep]';
  if (value instanceof Error) return scrubError(value, secrets, depth);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, ITEM_LIMIT).map((item) => scrub(item, secrets, depth + 1));
  const entries = Object.entries(value).slice(0, ITEM_LIMIT);
  return Object.fromEntries(
    entries.map(([name, member]) => [
      scrubText(name, secrets),
      SECRET_NAME.test(name) && member !== undefined && typeof member !== 'number' && typeof member !== 'boolean'
        ? REMOVED
        : scrub(member, secrets, depth + 1),
    ]),
  );
}

export function scrubText(text: string, secrets: readonly string[] = []): string {
  let clean = text.slice(0, SCAN_LIMIT);
  for (const secret of secrets) if (secret.length >= 6) clean = clean.replaceAll(secret, REMOVED);
  for (const [form, replacement] of SECRET_FORMS) clean = clean.replace(form, replacement);
  // Cut last: a credential across the cut would leave its first half unrecognised.
  return clean.length > TEXT_LIMIT || text.length > SCAN_LIMIT ? `${clean.slice(0, TEXT_LIMIT)}…` : clean;
}

function scrubError(error: Error, secrets: readonly string[], depth: number): unknown {
  const { name, message, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name,
    message: scrubText(message, secrets),
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause: scrub(cause, secrets, depth + 1) }),
  };
}
