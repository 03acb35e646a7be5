/** Errors of PostgreSQL and of the way there -> what the spool is told. Server messages may quote records: only codes are passed on. */
import { codeAndWayOut, errorCode } from '../../unreachable.ts';
import type { Dsn } from './postgres-dsn.ts';
import { RefusedError } from './sink.ts';

/** Classes of SQLSTATE that speak of the content: data, constraints, limits of a row. */
const REFUSED = /^(22|23|54)/;

const ADVICE: Readonly<Record<string, string>> = {
  '28000': 'this user may not connect from here; check pg_hba.conf, and whether it wants TLS (sslmode=verify-full)',
  '28P01': 'the password was refused; check the connection string in the Secret',
  '3D000': 'there is no such database; create it, or correct the connection string in the Secret',
  '42501':
    'the user may not do this; grant select and insert on the table (and update, for capture.partials), and temporary on the database',
  '42P10': 'the table has no primary key (id); add it, or name a table that is not there yet',
  '53100': 'the disk is full',
  '53300': 'there are too many connections',
  '57P03': 'the server is starting up',
};

/** SQLSTATE of an error of the server; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object) ? code : undefined;
}

/** The server of a target, for messages: of its connection string they name host and port alone. */
export function postgresPlace({ place }: Pick<Dsn, 'place'>): string {
  return place === undefined ? 'PostgreSQL' : `PostgreSQL at "${place}"`;
}

/**
 * @param ownAuthorities whether `tls.ca` names some
 * @returns RefusedError for content that will never be taken, an Error without quotes of what was sent for the rest
 */
export function explain(error: unknown, dsn: Pick<Dsn, 'place'>, ownAuthorities: boolean): Error {
  if (error instanceof PostgresSetupError) return error;
  const state = sqlState(error);
  if (state === undefined)
    return new Error(`Cannot reach ${postgresPlace(dsn)}: ${codeAndWayOut(reasonOf(error), ownAuthorities)}`);
  if (REFUSED.test(state)) return new RefusedError(`PostgreSQL refused the records with SQLSTATE ${state}`);
  const advice = ADVICE[state];
  return new Error(
    `Cannot write to ${postgresPlace(dsn)}: SQLSTATE ${state}${advice === undefined ? '' : `, ${advice}`}`,
  );
}

/** The limit was over before the server's machine took the connection. */
export class NoConnectionError extends Error {
  override readonly name = 'NoConnectionError';
}

/** The table is not as it has to be, and the message says what to run. */
export class PostgresSetupError extends Error {
  override readonly name = 'PostgresSetupError';
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message.includes('does not support SSL'))
    return 'the server does not speak TLS; the connection string or tls asks for it';
  return errorCode(
    error,
    message.includes('SASL') ? 'the password was refused, or is missing' : 'the connection broke',
  );
}
