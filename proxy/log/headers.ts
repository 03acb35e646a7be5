/** Headers and request targets as a record shows them: credentials are taken out, always, whatever the config says. */

/** Names that are credentials by their standard. */
const CREDENTIAL_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'cookie',
  'set-cookie',
]);
/** At the end of a name they speak of a credential, whatever is before; `ratelimit-tokens-…` and `max_tokens` do not. */
const CREDENTIAL_END =
  /(?:token|secret|password|passwd|signature|credentials?|authorization|(?:access|account|api|app|auth|client|master|private|secret|shared|signing|subscription)key)$/i;
/** So short that other words end in them, too: they count as words of their own. */
const SHORT_IN_HEADERS = /(?:^|[-_.])(?:key|auth)$/i;
const SHORT_IN_PARAMETERS = /(?:^|[-_.])(?:key|auth|sig|code)$/i;

export const REDACTED = '[redacted]';

export interface RecordedHeaders {
  /** In the order and case in which they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Lower-case names of the credentials that were taken out. */
  readonly removed: readonly string[];
  /** How many values were replaced as the config asks. */
  readonly redacted: number;
}

/**
 * @param rawHeaders names and values alternating
 * @param secretHeaders lower-case names that carried a credential of ours
 * @param redactHeaders lower-case names whose values the config hides
 */
export function recordHeaders(
  rawHeaders: readonly string[],
  secretHeaders: ReadonlySet<string>,
  redactHeaders: ReadonlySet<string>,
): RecordedHeaders {
  const headers: [string, string][] = [];
  const removed = new Set<string>();
  let redacted = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const lower = name.toLowerCase();
    if (isCredential(name, lower, secretHeaders)) removed.add(lower);
    else if (redactHeaders.has(lower)) {
      headers.push([name, REDACTED]);
      redacted++;
    } else headers.push([name, rawHeaders[i + 1] ?? '']);
  }
  return { headers, removed: [...removed], redacted };
}

function isCredential(name: string, lower: string, secretHeaders: ReadonlySet<string>): boolean {
  return CREDENTIAL_HEADERS.has(lower) || secretHeaders.has(lower) || speaksOfCredential(name, SHORT_IN_HEADERS);
}

/** @param name in the case in which it came: a capital letter in `subscriptionKey` begins a word */
function speaksOfCredential(name: string, short: RegExp): boolean {
  return CREDENTIAL_END.test(name) || short.test(name.replace(/[a-z0-9](?=[A-Z])|[A-Z](?=[A-Z][a-z])/g, '$&-'));
}

/** Path and query without the values of parameters that speak of a credential, such as `?key=`. */
export function recordTarget(target: string): string {
  const question = target.indexOf('?');
  if (question === -1) return target;
  const parameters = target
    .slice(question + 1)
    .split('&')
    .map((parameter) => {
      const equals = parameter.indexOf('=');
      const name = equals === -1 ? parameter : parameter.slice(0, equals);
      return equals !== -1 && speaksOfCredential(decoded(name), SHORT_IN_PARAMETERS)
        ? `${name}=${REDACTED}`
        : parameter;
    });
  return `${target.slice(0, question)}?${parameters.join('&')}`;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
