/** ProxyError: every way in which we, not the upstream, refuse or fail an exchange. Raised deep, answered in listen/rescue.ts alone. */

export type ProxyErrorKind =
  /** The request is malformed, ambiguous or smuggled: 400. */
  | 'bad_request'
  /** A gateway does not know who calls: 401. */
  | 'unauthenticated'
  /** A gateway knows who calls, and does not serve him: 403. */
  | 'forbidden'
  /** A body or header beyond a limit: 413 or 431. */
  | 'too_large'
  /** No route matches: 404. */
  | 'no_route'
  /** The route, or every upstream of it, is invalid in the resource: 503 that names it. */
  | 'invalid_route'
  /** Caller and upstream speak different dialects and nothing translates between them: 501. */
  | 'untranslatable'
  /** No connection to the upstream: 502. */
  | 'connect_failed'
  /** The connection broke before the answer's head: 502. */
  | 'upstream_broke'
  /** No answer's head within the first-byte timeout, or no connection within the connect timeout: 504. */
  | 'upstream_timeout'
  /** No valid config yet: 503. */
  | 'unavailable'
  /** An upstream, or this proxy, has as many exchanges in flight as the resource allows: 503 with retry-after. */
  | 'at_limit'
  /** We are stopping: 503. */
  | 'shutting_down'
  /** A tool loop reached one of its caps, or a later turn of it cannot be read: 502. */
  | 'tool_loop'
  /** Our own mistake: 500. */
  | 'internal';

export interface ProxyErrorFacts {
  readonly route?: string;
  readonly upstream?: string;
  /** Status to answer with where the kind allows several (too_large). */
  readonly status?: number;
  /** Seconds after which the client may try again; sent as retry-after. */
  readonly retryAfterS?: number;
  /** Our own tries are spent: the client is told not to repeat them. */
  readonly exhausted?: boolean;
  readonly cause?: unknown;
}

export class ProxyError extends Error {
  readonly kind: ProxyErrorKind;
  readonly facts: ProxyErrorFacts;

  /** @param message for the caller: action first, values quoted, the way out; never a secret */
  constructor(kind: ProxyErrorKind, message: string, facts: ProxyErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'ProxyError';
    this.kind = kind;
    this.facts = facts;
  }
}

export type InterruptionKind =
  /** The client closed its connection. */
  | 'client_gone'
  /** The grace of a stop ended. */
  | 'shutdown'
  /** The client stopped sending its request's body. */
  | 'client_stalled';

/** The reason of an exchange's AbortSignal: nobody failed, the exchange is simply over. */
export class Interruption extends Error {
  readonly kind: InterruptionKind;

  constructor(kind: InterruptionKind) {
    super(`Exchange interrupted: ${kind}`);
    this.name = 'Interruption';
    this.kind = kind;
  }
}
