/** Why another server cannot be reached, told by codes alone: a message may quote what was sent. And what may be done about it. */

/**
 * A code such as ECONNREFUSED, for people.
 * @param without said of an error that has none. @default its name
 */
export function errorCode(error: unknown, without?: string): string {
  if (!(error instanceof Error)) return without ?? 'unknown';
  const { code, cause, errors } = error as Error & { code?: unknown; errors?: unknown };
  if (typeof code === 'string' && code !== 'UND_ERR_SOCKET') return code;
  if (cause instanceof Error) return errorCode(cause, without);
  if (Array.isArray(errors) && errors[0] instanceof Error) return errorCode(errors[0], without);
  return typeof code === 'string' ? 'socket closed' : (without ?? error.name);
}

/** No authority that is trusted signed the certificate (codes of OpenSSL's verification, as Node names them). */
export function isUntrusted(code: string): boolean {
  return /^(?:\w*SELF_SIGNED_CERT\w*|UNABLE_TO_(?:GET_ISSUER|VERIFY)\w*)$/.test(code);
}

/**
 * @param code of a connection that did not come about
 * @param ownAuthorities whether `tls.ca` names some already. @default false
 * @returns what whoever wrote its address may do, to be put behind the code; undefined where the code alone says all that is known
 */
export function wayOut(code: string, ownAuthorities = false): string | undefined {
  if (isUntrusted(code))
    return ownAuthorities ? OTHER_AUTHORITY : 'name the authority that signed its certificate in tls.ca';
  if (code in WAYS_OUT) return WAYS_OUT[code];
  if (code.startsWith('EGRESS_PROXY_')) return 'look at its own log';
  return /SSL|TLS|^EPROTO$/.test(code) ? 'correct the scheme or the port of its address' : undefined;
}

/** The code and the way out. */
export function codeAndWayOut(code: string, ownAuthorities = false): string {
  const way = wayOut(code, ownAuthorities);
  return way === undefined ? code : `${code}; ${way}`;
}

/** What to do where nothing comes back. */
export const NO_WAY = 'look whether it runs, and whether a NetworkPolicy or a firewall keeps us away';
const OTHER_AUTHORITY =
  'its certificate is signed by none of the authorities in tls.ca; put the one that signed it there';
const WAYS_OUT: Readonly<Record<string, string>> = {
  ENOTFOUND: 'correct the host of its address, or make the Service of that name',
  EAI_AGAIN: 'correct the host of its address, or look whether a NetworkPolicy keeps us from the DNS server',
  ECONNREFUSED: 'start it, or correct the port of its address',
  ETIMEDOUT: NO_WAY,
  UND_ERR_CONNECT_TIMEOUT: NO_WAY,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  EGRESS_PROXY_TIMEOUT: NO_WAY,
  EGRESS_PROXY_407: 'put user and password that it takes into its url',
  CERT_HAS_EXPIRED: 'renew its certificate',
  CERT_NOT_YET_VALID: "its certificate is not valid yet; look at this machine's clock",
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names; correct the host of its address',
};
