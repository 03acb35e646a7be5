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
/** Names that speak of a credential; `ratelimit-tokens-…` and the like do not. */
const CREDENTIAL_NAME =
  /(^|[-_])(api[-_]?key|key|token|secret|password|passwd|signature|credentials?|auth|authorization)$/;
const CREDENTIAL_PARAMETER = /(^|[-_.])(key|apikey|token|secret|password|passwd|sig|signature|credential|auth|code)$/i;

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
    if (isCredential(lower, secretHeaders)) removed.add(lower);
    else if (redactHeaders.has(lower)) {
      headers.push([name, REDACTED]);
      redacted++;
    } else headers.push([name, rawHeaders[i + 1] ?? '']);
  }
  return { headers, removed: [...removed], redacted };
}

function isCredential(lower: string, secretHeaders: ReadonlySet<string>): boolean {
  return CREDENTIAL_HEADERS.has(lower) || secretHeaders.has(lower) || CREDENTIAL_NAME.test(lower);
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
      return equals !== -1 && CREDENTIAL_PARAMETER.test(decoded(name)) ? `${name}=${REDACTED}` : parameter;
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
