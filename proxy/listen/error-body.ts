/** The body of our own errors, in the form that a client of each dialect parses. */
import type { Dialect } from '#contract/dialect.ts';
import type { ProxyErrorKind } from '../errors.ts';

/** The type that SDKs of each dialect know for a status; our own kind goes into `code` and into a header. */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  504: 'timeout_error',
};

export interface ErrorFacts {
  readonly kind: ProxyErrorKind;
  readonly status: number;
  readonly message: string;
  /** Id of the exchange. */
  readonly id: string;
}

export function errorBody(dialect: Dialect, { kind, status, message, id }: ErrorFacts): string {
  switch (dialect) {
    case 'anthropic': {
      const type = ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
      return JSON.stringify({ type: 'error', error: { type, message: `Sluice: ${message}` }, request_id: id });
    }
    case 'openai':
    case 'raw': {
      const type = status < 500 ? 'invalid_request_error' : 'server_error';
      return JSON.stringify({ error: { message: `Sluice: ${message}`, type, code: kind, param: null } });
    }
  }
}
