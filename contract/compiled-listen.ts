/** The compiled form of what spec.listen, spec.agentTag and the limits of an upstream ask for. Absent fields are off, or at their default. */

export interface CompiledListen {
  readonly port: number;
  /** Exchanges served at the same time; absent: any number. */
  readonly maxInFlight?: number;
  /** Limits for slow senders; absent: the defaults. */
  readonly timeouts?: ListenTimeouts;
  /** Origins whose pages may call; absent: CORS is off. */
  readonly corsOrigins?: readonly string[];
  /** Who is told how a request was routed; absent: who asks. */
  readonly explain?: 'never' | 'always';
  /** `never`: the header that asks for debug lines is ignored; absent: it is honoured. */
  readonly debug?: 'never';
}

/** Milliseconds; 0 = none. */
export interface ListenTimeouts {
  /** For the whole head of a request. */
  readonly headMs: number;
  /** Span in which a body must end, or bring at least the least that counts as progress. */
  readonly bodyMs: number;
}

/** The name of an agent is what stands between these two texts in the system prompt. */
export interface AgentTag {
  readonly open: string;
  readonly close: string;
}

/** What an upstream is sent at the same time; absent: any number. */
export interface UpstreamLimits {
  readonly connections?: number;
  readonly inFlight?: number;
}

/** Files beside config.json with the certificate that we show to an upstream, and its key; both PEM. */
export interface ClientCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export const DEFAULT_LISTEN_TIMEOUTS: ListenTimeouts = { headMs: 60_000, bodyMs: 60_000 };
