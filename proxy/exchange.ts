/**
 * The seam between the request's way and everything that watches it. The pipeline tells a Tap what happens, in order; the
 * tap keeps metrics, the record and the stream's verdict, and never delays or changes a byte: no method throws or waits.
 */
import type { Dialect } from '#contract/dialect.ts';
import type { StreamEnd } from './stream/end.ts';

/** Who calls a gateway, as it was authenticated. */
export interface Caller {
  /** Name of the entry of spec.gateway.clients. */
  readonly client: string;
  /** `namespace/name`, from a token. */
  readonly serviceAccount?: string;
  /** The pod that the token is bound to. */
  readonly pod?: string;
}

/** What is known when the head of a request has been read. Times are `performance.now()` milliseconds. */
export interface RequestHead {
  /** Our own sortable id of the exchange (UUID version 7); the `request-id` of our own errors. */
  readonly id: string;
  readonly receivedAt: number;
  /** Wall clock, for the record: milliseconds since the epoch. */
  readonly receivedAtEpochMs: number;
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly dialect: Dialect;
  /** Names and values alternating, as they came; the tap removes credentials. */
  readonly rawHeaders: readonly string[];
  /** Id of the exchange where it began, from an authenticated hop before us; absent: it began here. */
  readonly exchange?: string;
  /** Known to gateways alone. */
  readonly caller?: Caller;
}

/** What the bounded peek found. */
export interface RequestFacts {
  readonly model: string | undefined;
  readonly agent: string | undefined;
  /** Whether the body asks for a stream. */
  readonly stream: boolean;
}

export type AttemptOutcome =
  /** An answer's head arrived with a status below 500 that is not to be retried. */
  | 'answered'
  /** An answer that counts as the upstream's failure: 429, 529, 5xx, or an error event before content. */
  | 'refused'
  | 'connect_failed'
  | 'broke'
  | 'timeout'
  /** The client left, or we stopped. */
  | 'cancelled';

export interface Attempt {
  readonly upstream: string;
  /** The model sent in place of the client's, if any. */
  readonly model?: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: AttemptOutcome;
  readonly status?: number;
  /** For people, such as `ECONNREFUSED`; never a secret. */
  readonly detail?: string;
}

/** One call of a tool loop: what was run and how it ended, never with what. */
export interface ToolCall {
  /** Turn of the model that asked for it, from 1. */
  readonly round: number;
  readonly tool: string;
  readonly outcome: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Of the result as the model got it. */
  readonly resultBytes: number;
  readonly resultSha256: string;
}

export interface AnswerHead {
  readonly upstream: string;
  readonly upstreamDialect: Dialect;
  readonly status: number;
  /** Names and values alternating, as the upstream sent them. */
  readonly rawHeaders: readonly string[];
}

/** What the tap read in the answer so far. `unknown`: the answer has no form whose end could be recognised. */
export interface Verdict {
  /** Whether the dialect's terminal event (message_stop, [DONE] or all finish reasons, response.completed…) was seen. */
  readonly terminal: 'seen' | 'missing' | 'unknown';
  /** Type of an error event inside the stream, such as `overloaded_error`. */
  readonly error: string | undefined;
  /** Whether content (text, thinking, tool input) was seen; opening events, pings and role-only chunks are none. */
  readonly content: boolean;
  /** Whether the bytes so far end between two events, so that an event of ours may follow. */
  readonly atBoundary: boolean;
}

/** One exchange's observer. Calls come in this order; `ended` comes exactly once and last. */
export interface Tap {
  /** The route and the facts that led to it; not called when no route matched. */
  matched(route: string, facts: RequestFacts): void;
  requestChunk(chunk: Buffer): void;
  attempted(attempt: Attempt): void;
  /** A tool of ours was called for the model, and the call is over. */
  toolCalled(call: ToolCall): void;
  /** Called for the answer that goes to the client (once), before its first byte does. */
  answered(head: AnswerHead): void;
  /**
   * A chunk of the answer's body as it came from the upstream, in order; called before it is handed to the client,
   * so that the final chunk can wait for the verdict. The tap may keep a reference: nobody changes the buffer afterwards.
   * @param from and `to`: which part of the buffer it is; absent: all
   */
  answerChunk(chunk: Buffer, from?: number, to?: number): void;
  verdict(): Verdict;
  /** The first byte of the answer's body was handed to the client's socket; `heldMs`: how long we had held it back. */
  delivered(heldMs: number): void;
  /** Status sent to the client: the upstream's, or our own error's; 0 when none was sent. */
  ended(end: StreamEnd, status: number): void;
}

/** Makes the tap of an exchange whose head was read; the opening of the record is written before this returns. */
export type OpenTap = (head: RequestHead) => Tap;
