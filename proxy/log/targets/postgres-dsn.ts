/** A connection string -> what is needed to connect. Its text never reaches a message, as it holds the password. */

export interface Dsn {
  readonly host: string;
  readonly port: number;
  /** Host and port for messages; undefined where these may be a user and the beginning of a password. */
  readonly place?: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Server settings as `-c name=value`. */
  readonly options?: string;
  /** `full`: authority and name are verified; `authority`: the name is not; `off`: plain text. Absent: as the target says. */
  readonly tls?: 'full' | 'authority' | 'off';
}

const FORM = 'postgres://user:password@host:5432/database?sslmode=verify-full';

/** @throws Error that says what form is expected, or which sslmode */
export function parseDsn(text: string): Dsn {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '') throw malformed();
  const user = decode(url.username);
  const options = url.searchParams.get('options');
  const tls = tlsOf(url.searchParams.get('sslmode'));
  const place = placeOf(url);
  return {
    host: decode(url.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 5432 : Number(url.port),
    ...(place !== undefined && { place }),
    user,
    password: decode(url.password),
    database: decode(url.pathname.slice(1)) || user,
    ...(options !== null && { options }),
    ...(tls && { tls }),
  };
}

/** In `user:12/3@host` a password that was not encoded ends the host; its rest holds the `@`, and no user stands before it. */
function placeOf({ username, hostname, port, pathname, search, hash }: URL): string | undefined {
  if (username === '' || `${pathname}${search}${hash}`.includes('@')) return undefined;
  return `${hostname}:${port === '' ? 5432 : port}`;
}

/** Modes that would fall back to plain text, or take any certificate, protect against nobody who stands in the way. */
function tlsOf(mode: string | null): Dsn['tls'] {
  switch (mode) {
    case null:
      return undefined;
    case 'disable':
      return 'off';
    case 'require':
    case 'verify-full':
      return 'full';
    case 'verify-ca':
      return 'authority';
    default:
      throw new Error(
        'Cannot use the sslmode of the connection string: write verify-full (with tls.ca for an authority of your own), verify-ca, or disable',
      );
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed();
  }
}

function malformed(): Error {
  return new Error(
    `Cannot read the connection string in the Secret: write it as ${FORM}, special characters percent-encoded`,
  );
}
